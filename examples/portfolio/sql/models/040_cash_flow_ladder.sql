-- SPDX-License-Identifier: Apache-2.0
-- What the bonds held on the day of the workbook will still pay, by month and by distance.
DELETE FROM mart.cash_flow_ladder WHERE as_of = CAST('${as_of}' AS DATE);
INSERT INTO mart.cash_flow_ladder
WITH due AS (
    SELECT
        position_day.account_id,
        position_day.valuation_date,
        cash_flow.flow_date,
        position_day.quantity * cash_flow.amount AS amount
    FROM mart.position_day
    JOIN core.cash_flow ON cash_flow.product_id = position_day.product_id
    WHERE position_day.valuation_date = CAST('${as_of}' AS DATE)
        AND cash_flow.flow_date > position_day.valuation_date
),
bucketed AS (
    SELECT
        account_id,
        CASE
            WHEN DATEDIFF(month, valuation_date, flow_date) <= 3 THEN 'a: to 3 months'
            WHEN DATEDIFF(month, valuation_date, flow_date) <= 12 THEN 'b: to 1 year'
            WHEN DATEDIFF(month, valuation_date, flow_date) <= 36 THEN 'c: to 3 years'
            WHEN DATEDIFF(month, valuation_date, flow_date) <= 60 THEN 'd: to 5 years'
            ELSE 'e: over 5 years'
        END AS bucket,
        CAST(DATE_TRUNC('month', flow_date) AS DATE) AS flow_month,
        amount
    FROM due
)
SELECT
    CAST('${as_of}' AS DATE),
    account_id,
    bucket,
    flow_month,
    CAST(SUM(amount) AS DECIMAL(18, 2))
FROM bucketed
GROUP BY account_id, bucket, flow_month;
