# SPDX-License-Identifier: Apache-2.0
"""examples/portfolio deployed to a server under test, for the scenario and the crash test."""

from __future__ import annotations

import json
import pathlib
import sys
import time
from typing import Any

from support.server import REPO, Tarn, until

EXAMPLE = REPO / "examples/portfolio"
sys.path.insert(0, str(EXAMPLE))

import build  # noqa: E402
import deploy  # noqa: E402

STACK = "portfolio-test"
RUN_SECONDS_MAX = 120.0
# Everything that a run leaves in the warehouse and that does not tell of the run itself.
TABLES = ["core.account", "core.product", "core.trade", "core.bond", "core.cash_flow",
          "core.bond_quote", "core.price", "mart.position_day", "mart.account_flow",
          "mart.allocation", "mart.cash_flow_ladder", "mart.risk", "mart.account_summary"]


class Platform:
    def __init__(self, tarn: Tarn, dist: pathlib.Path):
        self.tarn, self.dist = tarn, build.build(dist)
        self.aws = deploy.Aws(tarn.client_environment())
        self.parameters = deploy.read_parameters(EXAMPLE / "parameters/dev.json")
        self.outputs: dict[str, str] = {}
        self.known: set[str] = set()

    def deploy(self, **changes: str) -> None:
        self.outputs = deploy.deploy(self.aws, STACK, self.parameters | changes, self.dist)

    # Runs.

    def upload(self, name: str, key: str | None = None) -> str:
        key = key or f"inbox/{name}"
        self.tarn.client("s3").upload_file(
            str(self.dist / name), self.outputs["LandingBucket"], key)
        return key

    def executions(self) -> list[dict[str, Any]]:
        answer = self.tarn.client("stepfunctions").list_executions(
            stateMachineArn=self.outputs["Workflow"])
        return answer["executions"]

    def new_execution(self, seconds: float = 30.0) -> str:
        """The one execution that has started since the last call."""
        def new() -> list[str]:
            return [e["executionArn"] for e in self.executions()
                    if e["executionArn"] not in self.known]
        (arn,) = until(new, seconds)
        self.known.add(arn)
        return arn

    def start(self) -> str:
        arn = self.tarn.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs["Workflow"], input="{}")["executionArn"]
        self.known.add(arn)
        return arn

    def wait(self, arn: str, seconds: float = RUN_SECONDS_MAX) -> dict[str, Any]:
        client = self.tarn.client("stepfunctions")

        def ended() -> dict[str, Any] | None:
            execution = client.describe_execution(executionArn=arn)
            return execution if execution["status"] != "RUNNING" else None
        return until(ended, seconds, 0.1)

    def succeed(self, arn: str) -> dict[str, Any]:
        execution = self.wait(arn)
        assert execution["status"] == "SUCCEEDED", self.account_of(arn)
        return execution

    def account_of(self, arn: str) -> str:
        """What happened in an execution, for the message of a failed test."""
        client = self.tarn.client("stepfunctions")
        execution = client.describe_execution(executionArn=arn)
        pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
        events = [event for page in pages for event in page["events"]]
        lines = [f"{execution['status']}: {execution.get('error')}: {execution.get('cause')}"]
        for event in events[-25:]:
            details = {k: v for k, v in event.items() if k.endswith("Details")}
            lines.append(f"{event['id']} {event['type']} {json.dumps(details, default=str)[:600]}")
        return "\n".join(lines)

    # What they leave.

    def messages(self, seconds: float = 10.0) -> list[dict[str, Any]]:
        """Takes everything off the queue, waiting until there is something."""
        client = self.tarn.client("sqs")
        queue = self.outputs["Queue"]

        def receive() -> list[dict[str, Any]]:
            found = client.receive_message(QueueUrl=queue, MaxNumberOfMessages=10,
                                           WaitTimeSeconds=1).get("Messages", [])
            for message in found:
                client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return [json.loads(message["Body"]) for message in found]
        return until(receive, seconds)

    def raw_objects(self) -> list[str]:
        pages = self.tarn.client("s3").get_paginator("list_objects_v2").paginate(
            Bucket=self.outputs["LakeBucket"])
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def connection(self) -> Any:
        secret = self.tarn.client("secretsmanager").get_secret_value(
            SecretId=self.outputs["WarehouseSecret"])
        login = json.loads(secret["SecretString"])
        connection = self.tarn.pg(
            host=self.outputs["WarehouseAddress"], port=int(self.outputs["WarehousePort"]),
            user=login["username"], password=login["password"], dbname="portfolio")
        connection.autocommit = True
        return connection

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        connection = self.connection()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall()
        finally:
            connection.close()

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """All tables, sorted: equal for two warehouses in the same state. Doubles have ten digits
        here: sums over them depend on the order of the rows, which no warehouse promises."""
        def comparable(row: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(f"{v:.10g}" if isinstance(v, float) else v for v in row)

        return {table: sorted(map(comparable, self.rows(f"SELECT * FROM {table}")), key=repr)
                for table in TABLES}

    def empty(self) -> None:
        """As before the first run: no tables and no raw files."""
        connection = self.connection()
        with connection.cursor() as cursor:
            for schema in ("mart", "core", "stage"):
                cursor.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        connection.close()
        client = self.tarn.client("s3")
        for key in self.raw_objects():
            client.delete_object(Bucket=self.outputs["LakeBucket"], Key=key)

    def logged(self, group: str, text: str, seconds: float = 10.0) -> bool:
        client = self.tarn.client("logs")

        def found() -> bool:
            pages = client.get_paginator("filter_log_events").paginate(logGroupName=group)
            return any(text in e["message"] for page in pages for e in page["events"])
        deadline = time.monotonic() + seconds
        while not found():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True
