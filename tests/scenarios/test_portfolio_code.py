# SPDX-License-Identifier: Apache-2.0
"""The Python of examples/portfolio by itself: what it says of faulty workbooks, and its SQL files.
These need no server."""

from __future__ import annotations

import datetime
import importlib
import json
import re
import shutil
import subprocess
import sys

import pytest

from support.server import REPO

EXAMPLE = REPO / "examples/portfolio"
sys.path[:0] = [str(EXAMPLE), str(EXAMPLE / "code")]
TICKERS = {"AAPL", "AMZN", "GOOG", "IBM", "MSFT"}
RUN = {"as_of": "2010-03-31", "started": "2026-01-05 10:15:30", "folder": "2026/01/05",
       "stamp": "20260105T101530123Z"}
ROLE = "arn:aws:iam::000000000000:role/warehouse"


def module(name: str):
    return importlib.import_module(name)


def problems(tmp_path, *faults) -> list[str]:
    """What is said of positions.xlsx with faults (sheet, row, column, value) put in."""
    path = tmp_path / "book.xlsx"
    module("make_workbook").make(path, faults)
    book = module("portfolio.workbook").read(path.read_bytes())
    return [str(problem) for problem in module("portfolio.validate").check(book, TICKERS)]


def test_the_committed_workbook_is_good(tmp_path):
    assert problems(tmp_path) == []


@pytest.mark.parametrize(("fault", "text"), [
    (("trades", 5, "trade_id", "T0001"), "trades, row 5, column trade_id: duplicate of row 2"),
    (("trades", 5, "account_id", "X"), "row 5, column account_id: unknown account 'X'"),
    (("trades", 5, "trade_date", "soon"), "row 5, column trade_date: 'soon' is not a date"),
    (("trades", 5, "side", "HOLD"), "row 5, column side: 'HOLD' is none of BUY, SELL"),
    (("trades", 5, "price", -1.5), "row 5, column price: -1.500000 is not above zero"),
    (("trades", 5, "quantity", None), "row 5, column quantity: the cell is empty"),
    (("trades", 5, "quantity", True), "row 5, column quantity: True is not a number"),
    (("trades", 1, "quantity", "units"), "row 1, column quantity: the column is missing"),
    (("products", 2, "product_id", "NONE"), "row 2, column product_id: unknown ticker 'NONE'"),
    (("bonds", 2, "frequency", 2.5), "row 2, column frequency: 2.5 is not a whole number"),
    (("bond_quotes", 9, "product_id", "IBM"), "row 9, column product_id: 'IBM' is no bond"),
    (("settings", 2, "value", "yesterday"), "settings, row 2, column value: the setting as_of"),
])
def test_a_fault_is_named_by_sheet_row_and_column(tmp_path, fault, text):
    found = problems(tmp_path, fault)
    assert any(text in problem for problem in found), found


def test_a_file_that_is_no_workbook_is_a_problem_and_not_a_crash():
    book = module("portfolio.workbook").read(b"PK\x03\x04 but not a workbook")
    (problem,) = module("portfolio.validate").check(book, TICKERS)
    assert "not an Excel workbook" in str(problem)


def test_each_stage_is_a_list_of_whole_statements():
    plan = module("portfolio.plan").plan(RUN, "lake", ROLE)
    for stage in ("load", "models", "publish"):
        for entry in plan[stage]:
            assert 0 < len(entry["sqls"]) <= 40  # as many as BatchExecuteStatement takes
            for sql in entry["sqls"]:
                assert re.match(r"(CREATE|DELETE|INSERT|COPY) ", sql), sql
                assert "${" not in sql and "--" not in sql and ";" not in sql
    assert len(json.dumps(plan)) < 100_000  # a state machine's data ends at 256 KiB
    copies = [sql for entry in plan["load"] for sql in entry["sqls"] if sql.startswith("COPY")]
    assert "COPY stage.trades FROM 's3://lake/raw/trades/2026/01/05/data_20260105T101530123Z" \
           f".parquet' IAM_ROLE '{ROLE}' FORMAT AS PARQUET" in copies


@pytest.mark.parametrize("change", [{"as_of": "2010-03-31' OR '1'='1"}, {"stamp": "x'; --"},
                                    {"folder": "a b"}, {"started": "now"}])
def test_nothing_but_plain_values_gets_into_sql(change):
    with pytest.raises(ValueError):
        module("portfolio.plan").plan(RUN | change, "lake", ROLE)


def test_newtons_method_finds_textbook_rates():
    finance, day = module("portfolio.finance"), datetime.date
    # A bond at par yields its coupon.
    flows = [(day(2010 + n // 2, 7 if n % 2 else 1, 1), "coupon", 2.5) for n in range(1, 11)]
    flows.append((day(2015, 1, 1), "redemption", 100.0))
    rate = finance.yield_to_maturity(100.0, flows, day(2010, 1, 1), 2, day(2010, 1, 1))
    assert rate == pytest.approx(0.05, abs=1e-12)
    # 100 that become 121 in two years of 365 days.
    flows = [(day(2009, 1, 1), -100.0), (day(2011, 1, 1), 121.0)]
    assert finance.money_weighted_return(flows) == pytest.approx(0.1, abs=1e-12)
    # So steep a loss that a plain Newton step would leave the domain.
    flows = [(day(2009, 1, 1), -100.0), (day(2010, 1, 1), 0.01)]
    assert finance.money_weighted_return(flows) == pytest.approx(-0.9999, abs=1e-9)
    with pytest.raises(finance.NoConvergence):
        finance.money_weighted_return([(day(2009, 1, 1), -1.0), (day(2010, 1, 1), -1.0)])


def test_the_templates_pass_the_linter():
    linter = shutil.which("cfn-lint", path=f"{sys.prefix}/bin")
    if not linter:
        pytest.skip("needs cfn-lint")
    files = [EXAMPLE / "template.yaml", EXAMPLE / "bootstrap.yaml"]
    result = subprocess.run([linter, *files], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_each_parameter_file_fits_the_template():
    text = (EXAMPLE / "template.yaml").read_text()
    declared = set(re.findall(r"^  (\w+):\n    Type: ", text.split("Conditions:")[0], re.M))
    for name in ("dev", "prod"):
        entries = json.loads((EXAMPLE / f"parameters/{name}.json").read_text())
        assert {entry["ParameterKey"] for entry in entries} <= declared
