# SPDX-License-Identifier: Apache-2.0
"""The workbook of positions: which sheets and columns it has, and how it is read and checked.

Reading never stops at the first problem: whoever sent the workbook wants all of them at once,
each with its sheet, row and column.
"""

import datetime
import decimal
import io
from dataclasses import dataclass, field

import openpyxl

TEXT, DAY, AMOUNT, COUNT = "text", "date", "number", "whole number"

# sheet -> its columns in order, each with its type; the first sheet is settings, which is not data
SHEETS = {
    "settings": [("name", TEXT), ("value", TEXT)],
    "accounts": [
        ("account_id", TEXT),
        ("account_name", TEXT),
        ("client", TEXT),
        ("currency", TEXT),
        ("opened", DAY),
    ],
    "products": [
        ("product_id", TEXT),
        ("product_name", TEXT),
        ("asset_class", TEXT),
        ("sector", TEXT),
        ("currency", TEXT),
    ],
    "trades": [
        ("trade_id", TEXT),
        ("account_id", TEXT),
        ("product_id", TEXT),
        ("trade_date", DAY),
        ("side", TEXT),
        ("quantity", AMOUNT),
        ("price", AMOUNT),
    ],
    "bonds": [
        ("product_id", TEXT),
        ("issue_date", DAY),
        ("maturity_date", DAY),
        ("coupon_rate", AMOUNT),
        ("frequency", COUNT),
        ("face", AMOUNT),
    ],
    "cash_flows": [
        ("product_id", TEXT),
        ("flow_date", DAY),
        ("kind", TEXT),
        ("amount", AMOUNT),
    ],
    "bond_quotes": [
        ("product_id", TEXT),
        ("quote_date", DAY),
        ("price", AMOUNT),
    ],
}
DATA_SHEETS = [name for name in SHEETS if name != "settings"]

# What identifies a row of each sheet; two rows with the same key are a duplicate.
KEYS = {
    "settings": ["name"],
    "accounts": ["account_id"],
    "products": ["product_id"],
    "trades": ["trade_id"],
    "bonds": ["product_id"],
    "cash_flows": ["product_id", "flow_date", "kind"],
    "bond_quotes": ["product_id", "quote_date"],
}

CHOICES = {
    ("products", "asset_class"): ("Share", "Bond"),
    ("trades", "side"): ("BUY", "SELL"),
    ("cash_flows", "kind"): ("coupon", "redemption"),
}

POSITIVE = {
    ("trades", "quantity"),
    ("trades", "price"),
    ("bonds", "frequency"),
    ("bonds", "face"),
    ("cash_flows", "amount"),
    ("bond_quotes", "price"),
}

SCALE = decimal.Decimal("0.000001")


@dataclass(frozen=True)
class Problem:
    sheet: str
    row: int
    column: str
    what: str

    def __str__(self):
        return f"sheet {self.sheet}, row {self.row}, column {self.column}: {self.what}"


@dataclass
class Workbook:
    """The rows of each sheet as dicts; "row" in rows_at is the row number a person sees."""

    rows: dict = field(default_factory=dict)
    rows_at: dict = field(default_factory=dict)
    problems: list = field(default_factory=list)

    def setting(self, name):
        return next((r["value"] for r in self.rows["settings"] if r["name"] == name), None)


def _text(value):
    if isinstance(value, str) and value.strip():
        return value.strip()
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise ValueError("text")


def _day(value):
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    if isinstance(value, str):
        return datetime.date.fromisoformat(value.strip())
    raise ValueError("date")


def _amount(value):
    # Text is refused even where it looks like a number: Excel keeps it as text, so sums skip it.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("number")
    return decimal.Decimal(str(value)).quantize(SCALE)


def _count(value):
    amount = _amount(value)
    if amount != amount.to_integral_value():
        raise ValueError("whole number")
    return int(amount)


_READERS = {TEXT: _text, DAY: _day, AMOUNT: _amount, COUNT: _count}


def read(data):
    """Reads a workbook from bytes. What is wrong with it is in .problems."""
    book = Workbook(rows={name: [] for name in SHEETS}, rows_at={name: [] for name in SHEETS})
    try:
        source = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except Exception as error:  # openpyxl lets zip, XML and key errors through as they are
        book.problems.append(Problem("-", 0, "-", f"not an Excel workbook: {error}"))
        return book
    for name, columns in SHEETS.items():
        if name not in source.sheetnames:
            book.problems.append(Problem(name, 0, "-", "the sheet is missing"))
            continue
        _read_sheet(book, name, columns, source[name])
    source.close()
    return book


def _read_sheet(book, name, columns, sheet):
    lines = sheet.iter_rows(values_only=True)
    header = [str(c).strip() if c is not None else "" for c in next(lines, ())]
    missing = [column for column, _ in columns if column not in header]
    for column in missing:
        book.problems.append(Problem(name, 1, column, "the column is missing"))
    if missing:
        return
    at = {column: header.index(column) for column, _ in columns}
    for number, line in enumerate(lines, start=2):
        if all(cell is None for cell in line):
            continue
        row = {}
        for column, kind in columns:
            row[column] = _read_cell(book, name, number, column, kind, line[at[column]])
        book.rows[name].append(row)
        book.rows_at[name].append(number)


def _read_cell(book, sheet, number, column, kind, cell):
    def problem(what):
        book.problems.append(Problem(sheet, number, column, what))

    if cell is None or cell == "":
        problem("the cell is empty")
        return None
    try:
        value = _READERS[kind](cell)
    except (ValueError, decimal.InvalidOperation):
        problem(f"{cell!r} is not a {kind}")
        return None
    choices = CHOICES.get((sheet, column))
    if choices and value not in choices:
        problem(f"{value!r} is none of {', '.join(choices)}")
        return None
    if (sheet, column) in POSITIVE and value <= 0:
        problem(f"{value} is not above zero")
        return None
    return value
