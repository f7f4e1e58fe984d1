# SPDX-License-Identifier: Apache-2.0
"""Makes positions.xlsx from the CSV files under data/, and a bad one beside it.

    python make_workbook.py FOLDER

writes FOLDER/positions.xlsx and FOLDER/positions-bad.xlsx. The bad one has a duplicate trade, an
unknown ticker and text where a number belongs: each in a row that FAULTS names.
"""

import csv
import datetime
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "code"))

# (sheet, row as Excel numbers it, column, what stands there)
FAULTS = [
    ("trades", 9, "trade_id", "T0003"),
    ("trades", 17, "product_id", "TSLA"),
    ("trades", 23, "quantity", "ten"),
]


def cells(sheet, columns):
    from portfolio.workbook import AMOUNT, COUNT, DAY

    convert = {DAY: datetime.date.fromisoformat, AMOUNT: float, COUNT: int}
    with open(HERE / "data" / f"{sheet}.csv", newline="") as source:
        for line in csv.DictReader(source):
            yield [convert.get(kind, str)(line[column]) for column, kind in columns]


def make(path, faults=()):
    import openpyxl

    from portfolio.workbook import SHEETS

    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, columns in SHEETS.items():
        sheet = book.create_sheet(name)
        sheet.append([column for column, _ in columns])
        for row in cells(name, columns):
            sheet.append(row)
        for fault_sheet, row, column, value in faults:
            if fault_sheet == name:
                at = [c for c, _ in columns].index(column) + 1
                sheet.cell(row=row, column=at).value = value
    book.save(path)


def main(folder):
    folder = pathlib.Path(folder)
    make(folder / "positions.xlsx")
    make(folder / "positions-bad.xlsx", FAULTS)


if __name__ == "__main__":
    main(sys.argv[1])
