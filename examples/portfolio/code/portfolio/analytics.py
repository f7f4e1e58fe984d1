# SPDX-License-Identifier: Apache-2.0
"""Slim container: `python -m portfolio.analytics`.

Reads the marts through the Redshift Data API, computes yields to maturity, money-weighted returns
and historical values at risk, and writes them to the lake as raw/risk/…parquet, which the workflow
then loads. Account ALL stands for all accounts together.
"""

import datetime
import io
import json
import os

import boto3
import pyarrow as pa
import pyarrow.parquet as pq

from portfolio import finance, plan
from portfolio.warehouse import Warehouse

SCHEMA = pa.schema(
    [
        ("as_of", pa.date32()),
        ("scope", pa.string()),
        ("item", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
    ]
)


def main():
    run = json.loads(os.environ["RUN"])
    as_of = datetime.date.fromisoformat(run["as_of"])
    confidence, months = settings()
    warehouse = Warehouse()
    held = holdings(warehouse, as_of)
    results = [("bond", *result) for result in yields(warehouse, as_of)]
    results += [("account", *result) for result in returns(warehouse, as_of, held)]
    results += [("account", *r) for r in values_at_risk(warehouse, as_of, held, confidence, months)]
    for scope, item, metric, value in results:
        print(f"{scope} {item}: {metric} {value:.6f}")
    write(run, as_of, results)


def settings():
    names = [os.environ["CONFIDENCE_SETTING"], os.environ["MONTHS_SETTING"]]
    answer = boto3.client("ssm").get_parameters(Names=names)
    values = {p["Name"]: p["Value"] for p in answer["Parameters"]}
    missing = [name for name in names if name not in values]
    if missing:
        raise KeyError(f"settings missing from the parameter store: {', '.join(missing)}")
    return float(values[names[0]]), int(values[names[1]])


def holdings(warehouse, as_of):
    """{account: {product: (market value, accrued interest)}}, with ALL."""
    rows = warehouse.query(
        "SELECT account_id, product_id, market_value, accrued_interest FROM mart.position_day"
        " WHERE valuation_date = CAST(:as_of AS DATE) ORDER BY account_id, product_id",
        as_of=as_of,
    )
    held = {}
    for row in rows:
        for account in (row["account_id"], "ALL"):
            products = held.setdefault(account, {})
            value, accrued = products.get(row["product_id"], (0.0, 0.0))
            value, accrued = value + row["market_value"], accrued + row["accrued_interest"]
            products[row["product_id"]] = (value, accrued)
    return held


def yields(warehouse, as_of):
    bonds = warehouse.query(
        "SELECT b.product_id, b.issue_date, b.frequency, q.price FROM core.bond b"
        " JOIN core.bond_quote q ON q.product_id = b.product_id"
        " JOIN (SELECT product_id, MAX(quote_date) AS quote_date FROM core.bond_quote"
        "       WHERE quote_date <= CAST(:as_of AS DATE) GROUP BY product_id) latest"
        " ON latest.product_id = q.product_id AND latest.quote_date = q.quote_date"
        " WHERE b.maturity_date > CAST(:as_of AS DATE) ORDER BY b.product_id",
        as_of=as_of,
    )
    flows = {}
    query = "SELECT product_id, flow_date, kind, amount FROM core.cash_flow"
    for row in warehouse.query(query):
        flow = (row["flow_date"], row["kind"], row["amount"])
        flows.setdefault(row["product_id"], []).append(flow)
    for bond in bonds:
        rate = finance.yield_to_maturity(
            bond["price"],
            flows[bond["product_id"]],
            bond["issue_date"],
            bond["frequency"],
            as_of,
        )
        yield bond["product_id"], "yield_to_maturity", rate


def returns(warehouse, as_of, held):
    flows = {}
    query = "SELECT account_id, flow_date, amount FROM mart.account_flow"
    for row in warehouse.query(query + " ORDER BY account_id, flow_date"):
        for account in (row["account_id"], "ALL"):
            flows.setdefault(account, []).append((row["flow_date"], row["amount"]))
    for account, moves in sorted(flows.items()):
        worth = sum(value + accrued for value, accrued in held.get(account, {}).values())
        rate = finance.money_weighted_return([*moves, (as_of, worth)])
        yield account, "money_weighted_return", rate


def values_at_risk(warehouse, as_of, held, confidence, months):
    prices = {}
    rows = warehouse.query(
        "SELECT product_id, price_date, price FROM core.price"
        " WHERE price_date <= CAST(:as_of AS DATE)"
        " UNION ALL SELECT product_id, quote_date, price FROM core.bond_quote"
        " WHERE quote_date <= CAST(:as_of AS DATE)",
        as_of=as_of,
    )
    for row in rows:
        series = prices.setdefault(row["product_id"], {})
        series[finance.month_of(row["price_date"])] = row["price"]
    for account, products in sorted(held.items()):
        values = {product: value for product, (value, _) in products.items()}
        loss = finance.historical_value_at_risk(values, prices, confidence, months)
        yield account, "value_at_risk", loss


def write(run, as_of, results):
    rows = [
        {"as_of": as_of, "scope": scope, "item": item, "metric": metric, "value": value}
        for scope, item, metric, value in results
    ]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), sink, compression="snappy")
    bucket, key = os.environ["LAKE_BUCKET"], plan.raw_key(run, "risk")
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=sink.getvalue())
    print(f"s3://{bucket}/{key}: {len(rows)} metrics")


if __name__ == "__main__":
    main()
