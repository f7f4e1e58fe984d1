# SPDX-License-Identifier: Apache-2.0
"""The file of share prices: CSV with the columns symbol, date ("Mar 1 2010") and price."""

import csv
import datetime
import decimal
import io

KEY = "prices/stocks.csv"


def read(data):
    """Returns [{product_id, price_date, price}], in the file's order."""
    rows = []
    for line in csv.DictReader(io.StringIO(data.decode("utf-8"))):
        day = datetime.datetime.strptime(line["date"], "%b %d %Y").date()
        price = decimal.Decimal(line["price"])
        rows.append({"product_id": line["symbol"], "price_date": day, "price": price})
    return rows
