# SPDX-License-Identifier: Apache-2.0
"""Lambda: is this workbook fit to be loaded?

The event is {"started": time, "input": {"bucket"?, "key"?, ...}}. Without a key the latest
workbook of the landing bucket is taken: that is how a schedule or a person starts a run. The
answer says whether the workbook is valid, each problem with its row and column, and, as "run",
all that the later states need to know.
"""

import datetime
import os

import boto3

from portfolio import prices, workbook
from portfolio.workbook import Problem

PROBLEMS_SHOWN = 20


def handler(event, context):
    s3 = boto3.client("s3")
    bucket = event["input"].get("bucket") or os.environ["LANDING_BUCKET"]
    key = event["input"].get("key") or latest_workbook(s3, bucket)
    data = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    price_data = s3.get_object(Bucket=bucket, Key=prices.KEY)["Body"].read()

    book = workbook.read(data)
    tickers = {row["product_id"] for row in prices.read(price_data)}
    problems = check(book, tickers)
    print(f"s3://{bucket}/{key}: {len(data)} bytes, {len(problems)} problems")
    for problem in problems:
        print(problem)
    answer = {
        "valid": not problems,
        "message": message(bucket, key, problems),
        "problems": [vars(problem) for problem in problems[:PROBLEMS_SHOWN]],
        "rows": {name: len(book.rows[name]) for name in workbook.DATA_SHEETS},
    }
    if not problems:
        answer["run"] = run_of(event["started"], book.setting("as_of"), bucket, key)
    return answer


def latest_workbook(s3, bucket):
    found = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        found += [(o["LastModified"], o["Key"]) for o in page.get("Contents", [])]
    workbooks = [entry for entry in found if entry[1].endswith(".xlsx")]
    if not workbooks:
        raise FileNotFoundError(f"no workbook (*.xlsx) in the landing bucket {bucket}")
    return max(workbooks)[1]


def run_of(started, as_of, bucket, key):
    # The raw files' names come from the run's start, so that a task tried again writes the same.
    moment = datetime.datetime.fromisoformat(started.replace("Z", "+00:00"))
    return {
        "as_of": as_of,
        "started": moment.strftime("%Y-%m-%d %H:%M:%S"),
        "folder": moment.strftime("%Y/%m/%d"),
        "stamp": moment.strftime("%Y%m%dT%H%M%S") + f"{moment.microsecond // 1000:03d}Z",
        "workbook": {"bucket": bucket, "key": key},
        "prices": {"bucket": bucket, "key": prices.KEY},
    }


def message(bucket, key, problems):
    if not problems:
        return f"s3://{bucket}/{key} is valid"
    shown = [f"- {problem}" for problem in problems[:PROBLEMS_SHOWN]]
    more = len(problems) - len(shown)
    if more:
        shown.append(f"- and {more} more")
    head = f"s3://{bucket}/{key} was rejected, nothing of it was loaded. Problems:"
    return "\n".join([head, *shown])


def check(book, tickers):
    """All problems: of single cells, of rows among themselves, and of sheets among themselves."""
    problems = list(book.problems)
    problems += _duplicates(book)
    problems += _settings(book)
    problems += _references(book, tickers)
    order = {name: at for at, name in enumerate(workbook.SHEETS)}
    return sorted(problems, key=lambda p: (order.get(p.sheet, -1), p.row, p.column))


def _duplicates(book):
    for sheet, key in workbook.KEYS.items():
        seen = {}
        for row, number in zip(book.rows[sheet], book.rows_at[sheet]):
            value = tuple(row[column] for column in key)
            if None in value:
                continue
            if value in seen:
                text = " / ".join(str(part) for part in value)
                what = f"duplicate of row {seen[value]}: {text}"
                yield Problem(sheet, number, key[0], what)
            seen.setdefault(value, number)


def _settings(book):
    if not book.rows["settings"]:
        return
    as_of = book.setting("as_of")
    try:
        datetime.date.fromisoformat(as_of or "")
    except ValueError:
        what = f"the setting as_of is {as_of!r}, not a date such as 2010-03-31"
        yield Problem("settings", 2, "value", what)


def _references(book, tickers):
    rows, at = book.rows, book.rows_at
    accounts = {row["account_id"] for row in rows["accounts"]}
    classes = {row["product_id"]: row["asset_class"] for row in rows["products"]}
    bonds = {row["product_id"] for row in rows["bonds"]}

    for row, number in zip(rows["products"], at["products"]):
        product = row["product_id"]
        if row["asset_class"] == "Share" and product and product not in tickers:
            what = f"unknown ticker {product!r}: it has no prices"
            yield Problem("products", number, "product_id", what)
        if row["asset_class"] == "Bond" and product and product not in bonds:
            yield Problem("products", number, "product_id", f"{product!r} is not in sheet bonds")
    for row, number in zip(rows["trades"], at["trades"]):
        if row["product_id"] and row["product_id"] not in classes:
            what = f"unknown ticker {row['product_id']!r}: it is not in sheet products"
            yield Problem("trades", number, "product_id", what)
        if row["account_id"] and row["account_id"] not in accounts:
            what = f"unknown account {row['account_id']!r}"
            yield Problem("trades", number, "account_id", what)
    for sheet in ("bonds", "cash_flows", "bond_quotes"):
        for row, number in zip(rows[sheet], at[sheet]):
            if row["product_id"] and classes.get(row["product_id"]) != "Bond":
                what = f"{row['product_id']!r} is no bond of sheet products"
                yield Problem(sheet, number, "product_id", what)
