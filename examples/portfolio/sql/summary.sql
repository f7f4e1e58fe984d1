-- SPDX-License-Identifier: Apache-2.0
-- One line of text for each account, for the message that tells that a run has succeeded.
SELECT
    account_name || ': ' || CAST(value AS VARCHAR(30))
        || ', return ' || CAST(CAST(100 * money_weighted_return AS DECIMAL(9, 2)) AS VARCHAR(30))
        || ' % a year, value at risk ' || CAST(value_at_risk AS VARCHAR(30)) AS line
FROM mart.account_summary
WHERE as_of = CAST('${as_of}' AS DATE)
ORDER BY account_id;
