-- SPDX-License-Identifier: Apache-2.0
-- Money into (negative) and out of (positive) each account's investments: what was paid and received
-- for trades, and the coupons and redemptions of the bonds held the day before they fell due.
DELETE FROM mart.account_flow;
INSERT INTO mart.account_flow
SELECT
    account_id,
    trade_date,
    'trade',
    CAST(SUM(CASE WHEN side = 'BUY' THEN -quantity ELSE quantity END * price) AS DECIMAL(18, 2))
FROM core.trade
WHERE trade_date <= CAST('${as_of}' AS DATE)
GROUP BY account_id, trade_date
UNION ALL
SELECT
    trade.account_id,
    cash_flow.flow_date,
    cash_flow.kind,
    CAST(SUM(
        CASE WHEN trade.side = 'BUY' THEN trade.quantity ELSE -trade.quantity END
            * cash_flow.amount
    ) AS DECIMAL(18, 2))
FROM core.cash_flow
JOIN core.trade
    ON trade.product_id = cash_flow.product_id AND trade.trade_date < cash_flow.flow_date
WHERE cash_flow.flow_date <= CAST('${as_of}' AS DATE)
GROUP BY trade.account_id, cash_flow.flow_date, cash_flow.kind
HAVING SUM(CASE WHEN trade.side = 'BUY' THEN trade.quantity ELSE -trade.quantity END) <> 0;
