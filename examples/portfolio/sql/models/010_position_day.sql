-- SPDX-License-Identifier: Apache-2.0
-- Each position on each calendar day from the first trade to the day of the workbook, valued at the
-- latest price known that day. Bonds also carry the interest accrued since their last coupon.
DELETE FROM mart.position_day;
INSERT INTO mart.position_day
WITH digit AS (
    SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4
    UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9
),
counter AS (
    SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n AS n
    FROM digit a CROSS JOIN digit b CROSS JOIN digit c CROSS JOIN digit d
),
span AS (
    SELECT MIN(trade_date) AS first_day, CAST('${as_of}' AS DATE) AS last_day FROM core.trade
),
calendar AS (
    SELECT CAST(DATEADD(day, counter.n, span.first_day) AS DATE) AS valuation_date
    FROM counter CROSS JOIN span
    WHERE counter.n <= DATEDIFF(day, span.first_day, span.last_day)
),
daily_trade AS (
    SELECT
        account_id,
        product_id,
        trade_date,
        SUM(CASE WHEN side = 'BUY' THEN quantity ELSE -quantity END) AS quantity
    FROM core.trade
    GROUP BY account_id, product_id, trade_date
),
holding AS (
    SELECT
        account_id,
        product_id,
        trade_date AS held_from,
        COALESCE(
            LEAD(trade_date) OVER (PARTITION BY account_id, product_id ORDER BY trade_date),
            CAST('9999-12-31' AS DATE)
        ) AS held_to,
        CAST(SUM(quantity) OVER (
            PARTITION BY account_id, product_id ORDER BY trade_date ROWS UNBOUNDED PRECEDING
        ) AS DECIMAL(18, 6)) AS quantity
    FROM daily_trade
),
quoted AS (
    SELECT product_id, price_date, price FROM core.price
    UNION ALL
    SELECT product_id, quote_date, price FROM core.bond_quote
),
priced AS (
    SELECT
        product_id,
        price_date,
        price,
        COALESCE(
            LEAD(price_date) OVER (PARTITION BY product_id ORDER BY price_date),
            CAST('9999-12-31' AS DATE)
        ) AS price_to
    FROM quoted
),
coupon AS (
    SELECT
        cash_flow.product_id,
        cash_flow.amount,
        COALESCE(
            LAG(cash_flow.flow_date)
                OVER (PARTITION BY cash_flow.product_id ORDER BY cash_flow.flow_date),
            bond.issue_date
        ) AS accrues_from,
        cash_flow.flow_date AS paid_on
    FROM core.cash_flow
    JOIN core.bond ON bond.product_id = cash_flow.product_id
    WHERE cash_flow.kind = 'coupon'
)
SELECT
    calendar.valuation_date,
    holding.account_id,
    holding.product_id,
    product.asset_class,
    holding.quantity,
    priced.price,
    priced.price_date,
    CAST(holding.quantity * priced.price AS DECIMAL(18, 2)),
    CAST(ROUND(COALESCE(
        CAST(holding.quantity * coupon.amount AS DOUBLE PRECISION)
            * DATEDIFF(day, coupon.accrues_from, calendar.valuation_date)
            / DATEDIFF(day, coupon.accrues_from, coupon.paid_on),
        0
    ), 2) AS DECIMAL(18, 2))
FROM calendar
JOIN holding
    ON calendar.valuation_date >= holding.held_from AND calendar.valuation_date < holding.held_to
JOIN core.product ON product.product_id = holding.product_id
JOIN priced
    ON priced.product_id = holding.product_id
    AND calendar.valuation_date >= priced.price_date
    AND calendar.valuation_date < priced.price_to
LEFT JOIN coupon
    ON coupon.product_id = holding.product_id
    AND calendar.valuation_date >= coupon.accrues_from
    AND calendar.valuation_date < coupon.paid_on
LEFT JOIN core.bond ON bond.product_id = holding.product_id
WHERE holding.quantity <> 0
    AND (bond.maturity_date IS NULL OR calendar.valuation_date < bond.maturity_date);
