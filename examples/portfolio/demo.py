# SPDX-License-Identifier: Apache-2.0
"""The whole story on Tarn: start it, deploy this platform, upload a workbook, see the run and its
tables. `./dev demo` calls this after setting up and building. Leaves nothing running unless --keep.

    python demo.py [--keep] [--data FOLDER]

TARN_BIN names the tarn program (else build/release/bin/tarn of this repository).
"""

import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import build  # noqa: E402
import deploy  # noqa: E402

STACK = "portfolio-dev"
STARTED = time.monotonic()
READY_SECONDS_MAX = 30
RUN_SECONDS_MAX = 300

TABLES = [
    (
        "Accounts on the day of the workbook",
        "SELECT account_id, account_name, shares, bonds, value,"
        " CAST(100 * money_weighted_return AS DECIMAL(9,2)) AS return_percent, value_at_risk"
        " FROM mart.account_summary ORDER BY account_id",
    ),
    (
        "Allocation, all accounts",
        "SELECT asset_class, sector, SUM(value) AS value,"
        " CAST(100 * SUM(value) / (SELECT SUM(value) FROM mart.allocation) AS DECIMAL(9,2))"
        " AS percent FROM mart.allocation GROUP BY asset_class, sector ORDER BY value DESC",
    ),
    (
        "Bonds: yield to maturity",
        "SELECT item AS bond, CAST(100 * value AS DECIMAL(9,3)) AS yield_percent"
        " FROM mart.risk WHERE metric = 'yield_to_maturity' ORDER BY item",
    ),
    (
        "Cash flow ladder",
        "SELECT bucket, SUM(amount) AS amount, COUNT(*) AS payments"
        " FROM mart.cash_flow_ladder GROUP BY bucket ORDER BY bucket",
    ),
    (
        "Positions valued by day: account ACC-1003 at year ends",
        "SELECT valuation_date, COUNT(*) AS positions, SUM(market_value) AS market_value,"
        " SUM(accrued_interest) AS accrued FROM mart.position_day WHERE account_id = 'ACC-1003'"
        " AND valuation_date IN ('2005-12-31', '2006-12-31', '2007-12-31', '2008-12-31',"
        " '2009-12-31') GROUP BY valuation_date ORDER BY valuation_date",
    ),
]


def say(text):
    print(f"[{time.monotonic() - STARTED:6.1f}s] {text}", flush=True)


def tarn_program():
    program = os.environ.get("TARN_BIN") or HERE.parents[1] / "build/release/bin/tarn"
    if not pathlib.Path(program).exists():
        sys.exit(f"demo: {program} is not there: ./dev build")
    return str(program)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, data):
        self.data, self.log = data, data / "server.log"
        data.mkdir(parents=True, exist_ok=True)
        self.command = [tarn_program(), "up", "--data", str(data / "tarn")]
        self.command += ["--port", str(free_port()), "--pg-port", str(free_port())]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._await_ready()

    def _await_ready(self):
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not re.search(r"\bready\b", self.log.read_text(errors="replace")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                text = self.log.read_text(errors="replace")
                sys.exit(f"demo: tarn up did not get ready:\n{text}")
            time.sleep(0.01)

    def env(self):
        """What `tarn env` exports, over an environment without other AWS settings."""
        command = [self.command[0], "env", "--data", str(self.data / "tarn")]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        words = [word for line in text.splitlines() for word in shlex.split(line, comments=True)]
        exports = dict(word.split("=", 1) for word in words if "=" in word)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PG"))}
        nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        region = {"AWS_DEFAULT_REGION": exports["AWS_REGION"]}
        return kept | exports | nothing | region | {"AWS_EC2_METADATA_DISABLED": "true"}

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Run:
    """Follows one execution, printing each state as it ends."""

    def __init__(self, states, arn):
        self.states, self.arn, self.seen, self.entered = states, arn, 0, {}

    def follow(self):
        deadline = time.monotonic() + RUN_SECONDS_MAX
        while True:
            execution = self.states.describe_execution(executionArn=self.arn)
            self._print_news()
            if execution["status"] != "RUNNING":
                return execution
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.arn} still runs after {RUN_SECONDS_MAX} s")
            time.sleep(0.2)

    def _print_news(self):
        pages = self.states.get_paginator("get_execution_history")
        events = [e for p in pages.paginate(executionArn=self.arn) for e in p["events"]]
        for event in events[self.seen :]:
            if "stateEnteredEventDetails" in event:
                self.entered[event["stateEnteredEventDetails"]["name"]] = event["timestamp"]
            if "stateExitedEventDetails" in event:
                name = event["stateExitedEventDetails"]["name"]
                took = (event["timestamp"] - self.entered[name]).total_seconds()
                kind = event["type"].removesuffix("StateExited")
                say(f"    {name:<26} {kind:<9} {took:6.2f} s")
        self.seen = len(events)


def new_execution(states, machine, known):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for execution in states.list_executions(stateMachineArn=machine)["executions"]:
            if execution["executionArn"] not in known:
                known.add(execution["executionArn"])
                return execution["executionArn"]
        time.sleep(0.1)
    raise TimeoutError("the upload started no run within 30 s")


def messages(aws, queue):
    answer = aws.json(
        *("sqs", "receive-message", "--queue-url", queue, "--wait-time-seconds", 5),
        *("--max-number-of-messages", 10),
    )
    return [json.loads(m["Body"]) for m in (answer or {}).get("Messages", [])]


def warehouse(aws, outputs):
    """The connection of the stack's own warehouse, as psql takes it."""
    name = outputs["WarehouseSecret"]
    secret = aws.json("secretsmanager", "get-secret-value", "--secret-id", name)
    login = json.loads(secret["SecretString"])
    return {
        "PGHOST": outputs["WarehouseAddress"],
        "PGPORT": outputs["WarehousePort"],
        "PGDATABASE": "portfolio",
        "PGUSER": login["username"],
        "PGPASSWORD": login["password"],
    }


def show_tables(env):
    for title, sql in TABLES:
        print(f"\n{title}", flush=True)
        subprocess.run(["psql", "-X", "-q", "-P", "footer=off", "-c", sql], env=env, check=True)


def story(env):
    import boto3

    aws = deploy.Aws(env, say=lambda text: say(f"  {text}"))
    out = build.build(HERE / "dist")
    say("deploying examples/portfolio with the aws CLI")
    outputs = deploy.deploy(aws, STACK, deploy.read_parameters(HERE / "parameters/dev.json"), out)
    states = boto3.client(
        "stepfunctions",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    known = set()
    inbox = f"s3://{outputs['LandingBucket']}/inbox/"
    for name in ("positions-bad.xlsx", "positions.xlsx"):
        say(f"uploading {name}; EventBridge starts the state machine")
        aws.run("s3", "cp", "--only-show-errors", out / name, inbox)
        arn = new_execution(states, outputs["Workflow"], known)
        execution = Run(states, arn).follow()
        say(f"  {execution['status']}")
        for message in messages(aws, outputs["Queue"]):
            text = message["Message"].replace("\n", "\n  ")
            print(f"\n  SNS: {message['Subject']}\n  {text}\n", flush=True)
        expected = "FAILED" if "bad" in name else "SUCCEEDED"
        if execution["status"] != expected:
            cause = execution.get("cause", "")
            raise RuntimeError(f"the run of {name} ended {execution['status']}: {cause}")
    psql = warehouse(aws, outputs)
    show_tables(env | psql)
    return outputs, psql


def how_to_go_on(server, env, outputs, psql, keep):
    if not keep:
        print("\nTo go on from here: ./dev demo --keep")
        return
    exports = {name: env[name] for name in sorted(env) if name.startswith("AWS_")}
    print("\nTarn is still running. To go on, in a shell:")
    for name, value in (exports | psql).items():
        print(f"  export {name}={shlex.quote(value)}")
    tarn = shlex.quote(server.command[0])
    print(
        f"""
  query      psql -c 'SELECT * FROM mart.account_summary'
  run again  {tarn} run {outputs["Workflow"]}      (the latest workbook)
  upload     aws s3 cp {HERE}/dist/positions.xlsx s3://{outputs["LandingBucket"]}/inbox/
  logs       {tarn} logs -f {outputs["TaskLogs"]}
  stop       kill {server.process.pid}
  start      {shlex.join(server.command)}
  remove     rm -r {server.data}"""
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--keep", action="store_true", help="leave Tarn running")
    parser.add_argument("--data", type=pathlib.Path, help="data directory (default: a new one)")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    data = args.data or pathlib.Path(tempfile.mkdtemp(prefix="tarn-demo-"))
    server, done = None, False
    try:
        say(f"starting Tarn, data in {data}")
        server = Server(data)
        say("  " + server.command[0] + " is ready")
        env = server.env()
        outputs, psql = story(env)
        how_to_go_on(server, env, outputs, psql, args.keep)
        done = True
    except (deploy.AwsFailed, RuntimeError, TimeoutError, subprocess.SubprocessError) as failure:
        print(f"\ndemo: {failure}", file=sys.stderr)
        log = data / "server.log"
        print(f"The end of {log}:", *tail(log), sep="\n  ", file=sys.stderr)
    finally:
        if server and not (args.keep and done):
            server.stop()
            if not args.data:
                shutil.rmtree(data, ignore_errors=True)
    say("done" if done else "failed")
    sys.exit(0 if done else 1)


def tail(path, lines=25):
    return path.read_text(errors="replace").splitlines()[-lines:] if path.exists() else []


if __name__ == "__main__":
    main()
