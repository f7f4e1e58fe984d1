# SPDX-License-Identifier: Apache-2.0
"""examples/portfolio, deployed by its own files: good and bad workbooks, all three triggers, and
its figures against support/portfolio_figures.py. The tests of this file share one platform and run
in order."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from decimal import Decimal

import pytest

from support.portfolio import Platform
from support.portfolio_figures import AS_OF, Figures
from support.server import Tarn, until

SOURCES = {"accounts": 3, "products": 9, "trades": 54, "bonds": 4, "cash_flows": 75,
           "bond_quotes": 246, "prices": 560}
ACCOUNTS = ["ACC-1001", "ACC-1002", "ACC-1003", "ALL"]
CENT = Decimal("0.01")


@pytest.fixture(scope="module")
def platform(tarn_binary, tmp_path_factory) -> Iterator[Platform]:
    with Tarn() as tarn:
        platform = Platform(tarn, tmp_path_factory.mktemp("dist"))
        platform.deploy()
        yield platform


@pytest.fixture(scope="module")
def figures(platform: Platform) -> Figures:
    return Figures(platform.dist / "stocks.csv")


@pytest.fixture(scope="module")
def loaded(platform: Platform) -> dict:
    """The execution that the upload of the good workbook started."""
    platform.upload("positions.xlsx")
    return platform.succeed(platform.new_execution())


def metric(platform: Platform, name: str) -> dict[str, float]:
    return dict(platform.rows(f"SELECT item, value FROM mart.risk WHERE metric = '{name}'"))


def test_a_bad_workbook_ends_in_a_failed_run_that_names_row_and_column(platform):
    platform.upload("positions-bad.xlsx")
    execution = platform.wait(platform.new_execution())
    assert execution["status"] == "FAILED"
    assert execution["error"] == "WorkbookRejected"
    (message,) = platform.messages()
    assert message["Subject"] == "Portfolio run: workbook rejected"
    assert message["MessageAttributes"]["outcome"]["Value"] == "REJECTED"
    assert message["Message"] == execution["cause"]
    lines = message["Message"].split("\n")
    assert lines[1:] == [
        "- sheet trades, row 9, column trade_id: duplicate of row 4: T0003",
        "- sheet trades, row 17, column product_id: unknown ticker 'TSLA': "
        "it is not in sheet products",
        "- sheet trades, row 23, column quantity: 'ten' is not a number"]
    # Nothing was loaded: no raw file, and not even the tables.
    assert platform.raw_objects() == []
    assert platform.rows("SELECT table_name FROM information_schema.tables"
                         " WHERE table_schema IN ('stage', 'core', 'mart')") == []


def test_an_uploaded_workbook_runs_to_its_marts(platform, loaded):
    given = json.loads(loaded["input"])
    assert given == {"trigger": "upload", "bucket": platform.outputs["LandingBucket"],
                     "key": "inbox/positions.xlsx"}
    output = json.loads(loaded["output"])
    assert output["as_of"] == "2010-03-31"
    assert output["rows"] == {k: v for k, v in SOURCES.items() if k != "prices"}
    assert len(output["summary"]) == 4
    for source, count in SOURCES.items():
        core = source.removesuffix("s")
        assert platform.rows(f"SELECT COUNT(*) FROM core.{core}") == [(count,)]


def test_the_raw_layer_has_a_parquet_file_for_each_source(platform, loaded):
    import pyarrow.parquet as pq

    pattern = re.compile(r"raw/([a-z_]+)/\d{4}/\d\d/\d\d/data_\d{8}T\d{9}Z\.parquet")
    found = {}
    for key in platform.raw_objects():
        body = platform.tarn.client("s3").get_object(
            Bucket=platform.outputs["LakeBucket"], Key=key)["Body"].read()
        found[pattern.fullmatch(key)[1]] = pq.read_table(io.BytesIO(body)).num_rows
    assert found == SOURCES | {"risk": 11}
    loads = dict(platform.rows("SELECT source, row_count FROM core.load_run"))
    assert loads == SOURCES


def test_a_successful_run_is_announced_with_its_figures(platform, loaded):
    (message,) = platform.messages()
    assert message["Subject"] == "Portfolio run: succeeded"
    assert message["MessageAttributes"]["outcome"]["Value"] == "SUCCEEDED"
    (value,) = platform.rows("SELECT value FROM mart.account_summary WHERE account_id = 'ALL'")[0]
    assert f"All accounts: {value}, return " in message["Message"]


def test_each_position_is_valued_on_each_day(platform, loaded, figures):
    rows = platform.rows("SELECT valuation_date, account_id, product_id, quantity, price,"
                         " market_value, accrued_interest, asset_class FROM mart.position_day")
    assert len(rows) == len(figures.positions)
    for when, account, product, quantity, price, value, accrued, asset_class in rows:
        expected = figures.positions[when, account, product]
        assert (quantity, price, value) == expected[:3], (when, account, product)
        assert abs(float(accrued) - float(expected[3])) < 0.00501, (when, account, product)
        assert asset_class == figures.classes[product]


def test_the_allocation_adds_up(platform, loaded, figures):
    rows = platform.rows("SELECT account_id, product_id, asset_class, sector, value, weight, as_of"
                         " FROM mart.allocation")
    assert {(r[0], r[1]) for r in rows} == set(figures.worth)
    for account, product, asset_class, sector, value, weight, as_of in rows:
        total = sum(v for (owner, _), v in figures.worth.items() if owner == account)
        assert abs(value - figures.worth[account, product]) <= CENT
        assert abs(weight - value / total) <= Decimal("0.000001")
        assert (asset_class, sector) == (figures.classes[product], figures.sectors[product])
        assert as_of == AS_OF


def test_the_ladder_has_what_the_bonds_still_pay(platform, loaded, figures):
    rows = platform.rows("SELECT account_id, flow_month, amount, bucket FROM mart.cash_flow_ladder")
    assert {(r[0], r[1]): r[2] for r in rows} == figures.ladder()
    limits = {"a": (1, 3), "b": (4, 12), "c": (13, 36), "d": (37, 60), "e": (61, 1200)}
    for _, month, _, bucket in rows:
        distance = (month.year - AS_OF.year) * 12 + month.month - AS_OF.month
        low, high = limits[bucket[0]]
        assert low <= distance <= high


def test_yields_to_maturity_are_those_of_bisection(platform, loaded, figures):
    found = metric(platform, "yield_to_maturity")
    assert set(found) == {"GOV-2014", "HLC-2019", "NRG-2012"}  # LRK-2009 has matured
    for bond, rate in found.items():
        assert rate == pytest.approx(float(figures.yield_to_maturity(bond)), abs=1e-9)


def test_money_weighted_returns_are_those_of_bisection(platform, loaded, figures):
    found = metric(platform, "money_weighted_return")
    assert sorted(found) == ACCOUNTS
    for account, rate in found.items():
        # Each flow is rounded to the cent before the example discounts it.
        assert rate == pytest.approx(float(figures.money_weighted_return(account)), abs=1e-7)


def test_values_at_risk_are_quantiles_of_the_simulated_months(platform, loaded, figures):
    found = metric(platform, "value_at_risk")
    assert sorted(found) == ACCOUNTS
    for account, loss in found.items():
        assert loss == pytest.approx(figures.value_at_risk(account), rel=1e-9)


def test_the_summary_repeats_the_marts(platform, loaded, figures):
    rows = platform.rows("SELECT account_id, shares, bonds, value, money_weighted_return,"
                         " value_at_risk FROM mart.account_summary ORDER BY account_id")
    returns, risks = metric(platform, "money_weighted_return"), metric(platform, "value_at_risk")
    assert [row[0] for row in rows] == ACCOUNTS
    for account, shares, bonds, value, money_weighted, at_risk in rows:
        worth = {"Share": Decimal(0), "Bond": Decimal(0)}
        for (owner, product), amount in figures.worth.items():
            if owner in figures.members(account):
                worth[figures.classes[product]] += amount
        assert abs(shares - worth["Share"]) <= 10 * CENT
        assert abs(bonds - worth["Bond"]) <= 10 * CENT
        assert shares + bonds == value
        assert money_weighted == pytest.approx(returns[account], abs=1e-12)
        assert float(at_risk) == pytest.approx(risks[account], abs=0.00501)


def test_the_button_takes_the_latest_workbook_and_changes_nothing(platform, loaded):
    before = platform.contents()
    platform.upload("positions.xlsx", "inbox/a-later-copy.xlsx")
    platform.succeed(platform.new_execution())
    execution = platform.succeed(platform.start())
    assert json.loads(execution["input"]) == {}
    assert json.loads(execution["output"])["workbook"]["key"] == "inbox/a-later-copy.xlsx"
    assert platform.contents() == before
    assert platform.rows("SELECT COUNT(DISTINCT stamp) FROM core.load_run") == [(3,)]


def test_the_tasks_and_functions_tell_what_they_did_in_their_logs(platform, loaded):
    landing = platform.outputs["LandingBucket"]
    group = platform.outputs["TaskLogs"]
    assert platform.logged(group, "/raw/trades/")
    assert platform.logged(group, "account ALL: value_at_risk")
    functions = "/aws/lambda/portfolio-test-validate"
    assert platform.logged(functions, f"s3://{landing}/inbox/positions.xlsx:")
    assert platform.logged(functions, "REPORT RequestId:")


def run_slim(platform: Platform, **variables: str) -> tuple[dict, str]:
    """Runs the slim task by itself: the stopped task and its log."""
    ecs, logs = platform.tarn.client("ecs"), platform.tarn.client("logs")
    environment = [{"name": name, "value": value} for name, value in variables.items()]
    answer = ecs.run_task(
        cluster="portfolio-test", taskDefinition="portfolio-test-slim", launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60718"]}},
        overrides={"containerOverrides": [{"name": "slim", "environment": environment}]})
    assert answer["failures"] == []
    arn = answer["tasks"][0]["taskArn"]

    def stopped() -> dict | None:
        (task,) = ecs.describe_tasks(cluster="portfolio-test", tasks=[arn])["tasks"]
        return task if task["lastStatus"] == "STOPPED" else None
    task = until(stopped, 60)
    stream = f"slim/slim/{arn.rsplit('/', 1)[1]}"

    def log() -> str:
        try:
            events = logs.get_log_events(logGroupName=platform.outputs["TaskLogs"],
                                         logStreamName=stream, startFromHead=True)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return ""
        return "\n".join(event["message"] for event in events)
    return task, until(log, 10)


def test_a_script_finds_code_and_environment_where_the_contract_says(platform):
    task, log = run_slim(platform, COMMAND="pwd; echo $VIRTUAL_ENV; command -v python; ls; "
                                           "python -c 'import pyarrow; print(pyarrow.__path__)'")
    assert task["containers"][0]["exitCode"] == 0, log
    assert log.splitlines() == [
        "/opt/code", "/opt/venv", "/opt/venv/bin/python", "portfolio", "sql",
        "['/opt/venv/lib/python3.11/site-packages/pyarrow']"]


def test_a_failing_script_ends_the_task_with_its_exit_code(platform):
    task, log = run_slim(platform, COMMAND="echo before; false; echo after")
    assert task["containers"][0]["exitCode"] == 1
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"].startswith("Essential container in task exited")
    assert "before" in log and "after" not in log
    assert "exit code 1" in log.splitlines()[-1]


def test_a_missing_archive_ends_the_task_saying_which(platform):
    missing = f"s3://{platform.outputs['LandingBucket']}/no-such-code.tar.gz"
    task, log = run_slim(platform, CODE_ARCHIVE=missing, COMMAND="echo never")
    assert task["lastStatus"] == "STOPPED"
    assert task["containers"][0].get("exitCode") != 0
    assert missing in log.splitlines()[-1]
    assert "never" not in log
    told = task["stoppedReason"] + task["containers"][0].get("reason", "")
    assert missing in told


def test_a_corrupt_archive_ends_the_task_saying_which(platform):
    platform.tarn.client("s3").put_object(
        Bucket=platform.outputs["LandingBucket"], Key="broken.tar.gz",
        Body=(platform.dist / "code.tar.gz").read_bytes()[:5000])
    corrupt = f"s3://{platform.outputs['LandingBucket']}/broken.tar.gz"
    task, log = run_slim(platform, CODE_ARCHIVE=corrupt, COMMAND="echo never")
    assert task["containers"][0].get("exitCode") != 0
    assert corrupt in log.splitlines()[-1]
    assert "never" not in log
    told = task["stoppedReason"] + task["containers"][0].get("reason", "")
    assert corrupt in told


def test_a_task_role_may_not_read_what_the_template_does_not_grant(platform):
    lake = platform.outputs["LakeBucket"]
    task, log = run_slim(platform, COMMAND=f"aws s3 cp s3://{lake}/raw/x /tmp/x")
    assert task["containers"][0]["exitCode"] != 0
    assert "403" in log or "AccessDenied" in log


@pytest.mark.slow
def test_the_schedule_starts_a_run_on_the_latest_workbook(platform, loaded):
    before = platform.contents()
    platform.deploy(Schedule="rate(1 minute)", ScheduleState="ENABLED")
    try:
        arn = platform.new_execution(seconds=100)
    finally:
        platform.deploy()
    execution = platform.succeed(arn)
    assert json.loads(execution["input"])["trigger"] == "schedule"
    assert platform.contents() == before
