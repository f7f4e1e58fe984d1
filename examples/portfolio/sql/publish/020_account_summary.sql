-- SPDX-License-Identifier: Apache-2.0
-- One line for each account, and one for all of them together (account ALL).
DELETE FROM mart.account_summary WHERE as_of = CAST('${as_of}' AS DATE);
INSERT INTO mart.account_summary
WITH held AS (
    SELECT account_id, asset_class, value
    FROM mart.allocation
    WHERE as_of = CAST('${as_of}' AS DATE)
    UNION ALL
    SELECT 'ALL', asset_class, value
    FROM mart.allocation
    WHERE as_of = CAST('${as_of}' AS DATE)
),
valued AS (
    SELECT
        account_id,
        SUM(CASE WHEN asset_class = 'Share' THEN value ELSE 0 END) AS shares,
        SUM(CASE WHEN asset_class = 'Bond' THEN value ELSE 0 END) AS bonds,
        SUM(value) AS value
    FROM held
    GROUP BY account_id
),
measured AS (
    SELECT
        item AS account_id,
        MAX(CASE WHEN metric = 'money_weighted_return' THEN value END) AS money_weighted_return,
        MAX(CASE WHEN metric = 'value_at_risk' THEN value END) AS value_at_risk
    FROM mart.risk
    WHERE as_of = CAST('${as_of}' AS DATE) AND scope = 'account'
    GROUP BY item
)
SELECT
    CAST('${as_of}' AS DATE),
    valued.account_id,
    COALESCE(account.account_name, 'All accounts'),
    CAST(valued.shares AS DECIMAL(18, 2)),
    CAST(valued.bonds AS DECIMAL(18, 2)),
    CAST(valued.value AS DECIMAL(18, 2)),
    measured.money_weighted_return,
    CAST(ROUND(measured.value_at_risk, 2) AS DECIMAL(18, 2))
FROM valued
LEFT JOIN core.account ON account.account_id = valued.account_id
LEFT JOIN measured ON measured.account_id = valued.account_id;
