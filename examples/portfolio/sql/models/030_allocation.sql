-- SPDX-License-Identifier: Apache-2.0
-- How each account is spread over products on the day of the workbook, by value with accrued
-- interest. weight is the share of the account's value.
DELETE FROM mart.allocation WHERE as_of = CAST('${as_of}' AS DATE);
INSERT INTO mart.allocation
WITH valued AS (
    SELECT
        position_day.account_id,
        position_day.asset_class,
        product.sector,
        position_day.product_id,
        position_day.market_value + position_day.accrued_interest AS value
    FROM mart.position_day
    JOIN core.product ON product.product_id = position_day.product_id
    WHERE position_day.valuation_date = CAST('${as_of}' AS DATE)
)
SELECT
    CAST('${as_of}' AS DATE),
    account_id,
    asset_class,
    sector,
    product_id,
    value,
    CAST(ROUND(
        CAST(value AS DOUBLE PRECISION)
            / CAST(SUM(value) OVER (PARTITION BY account_id) AS DOUBLE PRECISION),
        6
    ) AS DECIMAL(9, 6))
FROM valued;
