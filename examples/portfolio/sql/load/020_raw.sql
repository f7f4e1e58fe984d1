-- SPDX-License-Identifier: Apache-2.0
-- One transaction for all sources: a reader sees all of a workbook or nothing of it. Rows that came
-- before are replaced by their key, so that loading the same files again changes nothing.

DELETE FROM stage.accounts;
COPY stage.accounts FROM '${accounts}' IAM_ROLE '${role}' FORMAT AS PARQUET;
DELETE FROM core.account USING stage.accounts
    WHERE account.account_id = accounts.account_id;
INSERT INTO core.account SELECT * FROM stage.accounts;

DELETE FROM stage.products;
COPY stage.products FROM '${products}' IAM_ROLE '${role}' FORMAT AS PARQUET;
DELETE FROM core.product USING stage.products
    WHERE product.product_id = products.product_id;
INSERT INTO core.product SELECT * FROM stage.products;

DELETE FROM stage.trades;
COPY stage.trades FROM '${trades}' IAM_ROLE '${role}' FORMAT AS PARQUET;
DELETE FROM core.trade USING stage.trades
    WHERE trade.trade_id = trades.trade_id;
INSERT INTO core.trade SELECT * FROM stage.trades;

DELETE FROM stage.bonds;
COPY stage.bonds FROM '${bonds}' IAM_ROLE '${role}' FORMAT AS PARQUET;
DELETE FROM core.bond USING stage.bonds
    WHERE bond.product_id = bonds.product_id;
INSERT INTO core.bond SELECT * FROM stage.bonds;

DELETE FROM stage.cash_flows;
COPY stage.cash_flows FROM '${cash_flows}' IAM_ROLE '${role}' FORMAT AS PARQUET;
DELETE FROM core.cash_flow USING stage.cash_flows
    WHERE cash_flow.product_id = cash_flows.product_id
    AND cash_flow.flow_date = cash_flows.flow_date
    AND cash_flow.kind = cash_flows.kind;
INSERT INTO core.cash_flow SELECT * FROM stage.cash_flows;

DELETE FROM stage.bond_quotes;
COPY stage.bond_quotes FROM '${bond_quotes}' IAM_ROLE '${role}' FORMAT AS PARQUET;
DELETE FROM core.bond_quote USING stage.bond_quotes
    WHERE bond_quote.product_id = bond_quotes.product_id
    AND bond_quote.quote_date = bond_quotes.quote_date;
INSERT INTO core.bond_quote SELECT * FROM stage.bond_quotes;

DELETE FROM stage.prices;
COPY stage.prices FROM '${prices}' IAM_ROLE '${role}' FORMAT AS PARQUET;
DELETE FROM core.price USING stage.prices
    WHERE price.product_id = prices.product_id
    AND price.price_date = prices.price_date;
INSERT INTO core.price SELECT * FROM stage.prices;

-- What was loaded from where.
DELETE FROM core.load_run WHERE stamp = '${stamp}';
INSERT INTO core.load_run
SELECT '${stamp}', CAST('${started}' AS TIMESTAMP), CAST('${as_of}' AS DATE),
    'accounts', '${accounts}', COUNT(*) FROM stage.accounts
UNION ALL
SELECT '${stamp}', CAST('${started}' AS TIMESTAMP), CAST('${as_of}' AS DATE),
    'products', '${products}', COUNT(*) FROM stage.products
UNION ALL
SELECT '${stamp}', CAST('${started}' AS TIMESTAMP), CAST('${as_of}' AS DATE),
    'trades', '${trades}', COUNT(*) FROM stage.trades
UNION ALL
SELECT '${stamp}', CAST('${started}' AS TIMESTAMP), CAST('${as_of}' AS DATE),
    'bonds', '${bonds}', COUNT(*) FROM stage.bonds
UNION ALL
SELECT '${stamp}', CAST('${started}' AS TIMESTAMP), CAST('${as_of}' AS DATE),
    'cash_flows', '${cash_flows}', COUNT(*) FROM stage.cash_flows
UNION ALL
SELECT '${stamp}', CAST('${started}' AS TIMESTAMP), CAST('${as_of}' AS DATE),
    'bond_quotes', '${bond_quotes}', COUNT(*) FROM stage.bond_quotes
UNION ALL
SELECT '${stamp}', CAST('${started}' AS TIMESTAMP), CAST('${as_of}' AS DATE),
    'prices', '${prices}', COUNT(*) FROM stage.prices;
