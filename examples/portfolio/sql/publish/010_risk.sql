-- SPDX-License-Identifier: Apache-2.0
-- What the analytics task wrote to the lake becomes a mart.
DELETE FROM stage.risk;
COPY stage.risk FROM '${risk}' IAM_ROLE '${role}' FORMAT AS PARQUET;
DELETE FROM mart.risk WHERE as_of = CAST('${as_of}' AS DATE);
INSERT INTO mart.risk SELECT * FROM stage.risk;
