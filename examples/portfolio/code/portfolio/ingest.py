# SPDX-License-Identifier: Apache-2.0
"""Slim container: `python -m portfolio.ingest workbook|prices`.

Writes each source as raw/<source>/YYYY/MM/DD/data_<timestamp>.parquet into the lake. The variable
RUN is the run as validate.run_of made it. Doing it twice writes the same objects.
"""

import datetime
import decimal
import io
import json
import os
import sys

import boto3
import pyarrow as pa
import pyarrow.parquet as pq

from portfolio import plan, prices, workbook

TYPES = {
    workbook.TEXT: pa.string(),
    workbook.DAY: pa.date32(),
    workbook.AMOUNT: pa.decimal128(18, 6),
    workbook.COUNT: pa.int32(),
}
PRICES = [("product_id", workbook.TEXT), ("price_date", workbook.DAY), ("price", workbook.AMOUNT)]


def main(what):
    run = json.loads(os.environ["RUN"])
    s3 = boto3.client("s3")
    if what == "workbook":
        book = workbook.read(get(s3, run["workbook"]))
        if book.problems:
            raise ValueError(f"the workbook changed since it was validated: {book.problems[0]}")
        for sheet in workbook.DATA_SHEETS:
            put(s3, run, sheet, workbook.SHEETS[sheet], book.rows[sheet])
    elif what == "prices":
        put(s3, run, "prices", PRICES, prices.read(get(s3, run["prices"])))
    else:
        raise SystemExit(f"usage: python -m portfolio.ingest workbook|prices (not {what!r})")


def get(s3, where):
    return s3.get_object(Bucket=where["bucket"], Key=where["key"])["Body"].read()


def put(s3, run, source, columns, rows):
    arrays = [
        pa.array([_exact(row[name]) for row in rows], type=TYPES[kind]) for name, kind in columns
    ]
    table = pa.Table.from_arrays(arrays, names=[name for name, _ in columns])
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="snappy")
    bucket, key = os.environ["LAKE_BUCKET"], plan.raw_key(run, source)
    s3.put_object(Bucket=bucket, Key=key, Body=sink.getvalue())
    print(f"s3://{bucket}/{key}: {table.num_rows} rows, {len(sink.getvalue())} bytes", flush=True)


def _exact(value):
    return value.quantize(workbook.SCALE) if isinstance(value, decimal.Decimal) else value


if __name__ == "__main__":
    began = datetime.datetime.now()
    main(sys.argv[1] if len(sys.argv) > 1 else "")
    print(f"done in {(datetime.datetime.now() - began).total_seconds():.2f} s")
