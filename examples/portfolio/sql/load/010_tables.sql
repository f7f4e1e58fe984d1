-- SPDX-License-Identifier: Apache-2.0
-- The native tables. stage holds one file as it came, core what is known, mart what is asked for.
CREATE SCHEMA IF NOT EXISTS stage;
CREATE SCHEMA IF NOT EXISTS core;
CREATE SCHEMA IF NOT EXISTS mart;

CREATE TABLE IF NOT EXISTS stage.accounts (
    account_id VARCHAR(20),
    account_name VARCHAR(100),
    client VARCHAR(100),
    currency VARCHAR(3),
    opened DATE
);

CREATE TABLE IF NOT EXISTS stage.products (
    product_id VARCHAR(20),
    product_name VARCHAR(100),
    asset_class VARCHAR(10),
    sector VARCHAR(50),
    currency VARCHAR(3)
);

CREATE TABLE IF NOT EXISTS stage.trades (
    trade_id VARCHAR(20),
    account_id VARCHAR(20),
    product_id VARCHAR(20),
    trade_date DATE,
    side VARCHAR(4),
    quantity DECIMAL(18,6),
    price DECIMAL(18,6)
);

CREATE TABLE IF NOT EXISTS stage.bonds (
    product_id VARCHAR(20),
    issue_date DATE,
    maturity_date DATE,
    coupon_rate DECIMAL(18,6),
    frequency INTEGER,
    face DECIMAL(18,6)
);

CREATE TABLE IF NOT EXISTS stage.cash_flows (
    product_id VARCHAR(20),
    flow_date DATE,
    kind VARCHAR(10),
    amount DECIMAL(18,6)
);

CREATE TABLE IF NOT EXISTS stage.bond_quotes (
    product_id VARCHAR(20),
    quote_date DATE,
    price DECIMAL(18,6)
);

CREATE TABLE IF NOT EXISTS stage.prices (
    product_id VARCHAR(20),
    price_date DATE,
    price DECIMAL(18,6)
);

CREATE TABLE IF NOT EXISTS stage.risk (
    as_of DATE,
    scope VARCHAR(10),
    item VARCHAR(20),
    metric VARCHAR(30),
    value DOUBLE PRECISION
);

CREATE TABLE IF NOT EXISTS core.account (
    account_id VARCHAR(20),
    account_name VARCHAR(100),
    client VARCHAR(100),
    currency VARCHAR(3),
    opened DATE
);

CREATE TABLE IF NOT EXISTS core.product (
    product_id VARCHAR(20),
    product_name VARCHAR(100),
    asset_class VARCHAR(10),
    sector VARCHAR(50),
    currency VARCHAR(3)
);

CREATE TABLE IF NOT EXISTS core.trade (
    trade_id VARCHAR(20),
    account_id VARCHAR(20),
    product_id VARCHAR(20),
    trade_date DATE,
    side VARCHAR(4),
    quantity DECIMAL(18,6),
    price DECIMAL(18,6)
);

CREATE TABLE IF NOT EXISTS core.bond (
    product_id VARCHAR(20),
    issue_date DATE,
    maturity_date DATE,
    coupon_rate DECIMAL(18,6),
    frequency INTEGER,
    face DECIMAL(18,6)
);

CREATE TABLE IF NOT EXISTS core.cash_flow (
    product_id VARCHAR(20),
    flow_date DATE,
    kind VARCHAR(10),
    amount DECIMAL(18,6)
);

CREATE TABLE IF NOT EXISTS core.bond_quote (
    product_id VARCHAR(20),
    quote_date DATE,
    price DECIMAL(18,6)
);

CREATE TABLE IF NOT EXISTS core.price (
    product_id VARCHAR(20),
    price_date DATE,
    price DECIMAL(18,6)
);

CREATE TABLE IF NOT EXISTS core.load_run (
    stamp VARCHAR(30),
    started TIMESTAMP,
    as_of DATE,
    source VARCHAR(20),
    raw_object VARCHAR(500),
    row_count BIGINT
);

CREATE TABLE IF NOT EXISTS mart.position_day (
    valuation_date DATE,
    account_id VARCHAR(20),
    product_id VARCHAR(20),
    asset_class VARCHAR(10),
    quantity DECIMAL(18,6),
    price DECIMAL(18,6),
    price_date DATE,
    market_value DECIMAL(18,2),
    accrued_interest DECIMAL(18,2)
);

CREATE TABLE IF NOT EXISTS mart.account_flow (
    account_id VARCHAR(20),
    flow_date DATE,
    kind VARCHAR(10),
    amount DECIMAL(18,2)
);

CREATE TABLE IF NOT EXISTS mart.allocation (
    as_of DATE,
    account_id VARCHAR(20),
    asset_class VARCHAR(10),
    sector VARCHAR(50),
    product_id VARCHAR(20),
    value DECIMAL(18,2),
    weight DECIMAL(9,6)
);

CREATE TABLE IF NOT EXISTS mart.cash_flow_ladder (
    as_of DATE,
    account_id VARCHAR(20),
    bucket VARCHAR(20),
    flow_month DATE,
    amount DECIMAL(18,2)
);

CREATE TABLE IF NOT EXISTS mart.risk (
    as_of DATE,
    scope VARCHAR(10),
    item VARCHAR(20),
    metric VARCHAR(30),
    value DOUBLE PRECISION
);

CREATE TABLE IF NOT EXISTS mart.account_summary (
    as_of DATE,
    account_id VARCHAR(20),
    account_name VARCHAR(100),
    shares DECIMAL(18,2),
    bonds DECIMAL(18,2),
    value DECIMAL(18,2),
    money_weighted_return DOUBLE PRECISION,
    value_at_risk DECIMAL(18,2)
);
