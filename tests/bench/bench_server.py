# SPDX-License-Identifier: Apache-2.0
"""Tarn beside its peers in one run: start-up, idle memory, small durable objects, Step Functions.

  bench_server.py [--seconds 3] [--json FILE] [--no-peers]

The machine is noisy: read the ratios. Peers (moto, ministack) keep everything in memory and verify
no signatures; Tarn's writes are on disk when they are acknowledged.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from support.server import Tarn, binary, clean_environment, free_port

REPO = pathlib.Path(__file__).resolve().parents[2]
LOAD = REPO / "build/release/bin/cli_s3_load_bench"
PEER_PYTHON = os.environ.get("TARN_BENCH_PYTHON", sys.executable)


def wait_for(url: str, seconds: float = 60) -> float:
    """Seconds until `url` answers anything."""
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds:
        try:
            urllib.request.urlopen(url, timeout=1).read()
            return time.perf_counter() - begin
        except urllib.error.HTTPError:
            return time.perf_counter() - begin
        except OSError:
            time.sleep(0.002)
    raise SystemExit(f"{url} does not answer")


def pss_mib(pid: int) -> float:
    """Proportional memory of a process and its children."""
    total = 0
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rsplit(")", 1)[1].split()
            if int(path.name) != pid and int(fields[1]) != pid:
                continue
            for line in (path / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except (OSError, IndexError):
            continue
    return total / 1024


class Unmeasured(Exception):
    """Why there is no figure."""


class Server:
    """A program under measurement: its endpoint, keys, and how it was started."""

    def __init__(self, name, command, health, keys=("test", "test"), env=None):
        self.name, self.health, self.keys = name, health, keys
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=clean_environment() | (env or {}), start_new_session=True)
        wait_for(health)
        self.start_seconds = time.perf_counter() - begin
        self.endpoint = health.rsplit("/_", 1)[0].rstrip("/")

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def client(self, service):
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name="us-east-1",
            aws_access_key_id=self.keys[0], aws_secret_access_key=self.keys[1],
            config=Config(inject_host_prefix=False, max_pool_connections=32, read_timeout=120,
                          retries={"max_attempts": 0}, s3={"addressing_style": "path"}))


def start_tarn(directory):
    port = free_port()
    keys = ("AKIABENCHBENCHBENCH0", "benchbenchbenchbenchbenchbenchbenchbench")
    return Server("tarn", [str(binary()), "up", "--data", directory, "--port", str(port),
                           "--pg-port", "0"],
                  f"http://127.0.0.1:{port}/_tarn/health", keys,
                  {"TARN_ACCESS_KEY_ID": keys[0], "TARN_SECRET_ACCESS_KEY": keys[1]})


def start_moto(_):
    port = free_port()
    return Server("moto", [PEER_PYTHON, "-m", "moto.server", "-p", str(port)],
                  f"http://127.0.0.1:{port}/")


def start_ministack(_):
    port = free_port()
    return Server("ministack", [PEER_PYTHON, "-m", "ministack"],
                  f"http://127.0.0.1:{port}/_ministack/health",
                  env={"GATEWAY_PORT": str(port), "MINISTACK_PORT": str(port)})


def objects(server, seconds):
    server.client("s3").create_bucket(Bucket="bench")
    result = {}
    for operation in ("put", "get"):
        for clients in (1, 8, 64):
            done = subprocess.run(
                [str(LOAD), server.endpoint, *server.keys, "bench", operation, "4096",
                 str(clients), str(seconds)], capture_output=True, text=True, check=True)
            result[f"{operation} 4 KiB/s at {clients}"] = json.loads(done.stdout)["per_second"]
    return result


def pass_chain(states, kind="STANDARD"):
    names = [f"S{i}" for i in range(states)]
    body = {name: {"Type": "Pass", **({"Next": following} if following else {"End": True})}
            for name, following in zip(names, [*names[1:], None])}
    return json.dumps({"StartAt": "S0", "States": body}), kind


def step_functions(server):
    client, iam = server.client("stepfunctions"), server.client("iam")
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"},
         "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=json.dumps(trust))
    role = role["Role"]["Arn"]

    def machine(name, definition, kind):
        return client.create_state_machine(name=name, definition=definition, roleArn=role,
                                           type=kind)["stateMachineArn"]

    def wait(execution, deadline):
        while (status := client.describe_execution(executionArn=execution)["status"]) == "RUNNING":
            if time.perf_counter() > deadline:
                raise Unmeasured("no end")  # moto keeps every execution RUNNING
            time.sleep(0.01)
        if status != "SUCCEEDED":
            raise Unmeasured(status)

    def start(arn):
        return client.start_execution(stateMachineArn=arn, input="{}")["executionArn"]

    def run_to_the_end(pool, arn, count):
        begin = time.perf_counter()
        for execution in list(pool.map(start, [arn] * count)):
            wait(execution, begin + 60)
        return count / (time.perf_counter() - begin)

    def sync(pool, arn, count):
        begin = time.perf_counter()
        list(pool.map(lambda _: client.start_sync_execution(stateMachineArn=arn, input="{}"),
                      range(count)))
        return count / (time.perf_counter() - begin)

    one = machine("one", *pass_chain(1))
    hundred = machine("hundred", *pass_chain(100))
    express = machine("express", *pass_chain(1, "EXPRESS"))
    result = {}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for figure, measured in {
                "executions/s (1 Pass)": lambda: run_to_the_end(pool, one, 400),
                "transitions/s (50 x 100 Pass)": lambda: 100 * run_to_the_end(pool, hundred, 50),
                "StartSyncExecution/s": lambda: sync(pool, express, 400)}.items():
            try:
                result[figure] = measured()
            except Unmeasured as reason:
                result[figure] = str(reason)
            except ClientError as error:  # a peer may not have it; say so instead of a figure
                result[figure] = error.response["Error"]["Code"]
    return result


def measure(start, seconds):
    with tempfile.TemporaryDirectory(prefix="tarn-bench-") as directory:
        starts = []
        for attempt in range(3):
            server = start(os.path.join(directory, str(attempt)))
            starts.append(server.start_seconds)
            if attempt < 2:
                server.stop()
        try:
            print(f"{server.name}: objects, then Step Functions", file=sys.stderr)
            time.sleep(1)
            figures = {"start-up s (best of 3)": min(starts),
                       "idle PSS MiB": pss_mib(server.process.pid)}
            figures |= objects(server, seconds)
            figures |= step_functions(server)
            figures["loaded PSS MiB"] = pss_mib(server.process.pid)
            return server.name, figures
        finally:
            server.stop()


def table(results):
    names = list(results)
    print(f"{'':34}" + "".join(f"{name:>14}" for name in names) + "   ratio to the best peer")
    for figure in results[names[0]]:
        values = [results[name].get(figure) for name in names]
        cells = "".join(f"{v:>14.2f}" if isinstance(v, float) and v < 100 else
                        f"{v:>14.0f}" if isinstance(v, (int, float)) else f"{v!s:>14}"
                        for v in values)
        numbers = [v for v in values[1:] if isinstance(v, (int, float))]
        less_is_better = "PSS" in figure or "start-up" in figure
        ratio = ""
        if numbers and isinstance(values[0], (int, float)):
            best = min(numbers) if less_is_better else max(numbers)
            ratio = f"{values[0] / best:>10.2f}x" + (" (less is better)" if less_is_better else "")
        print(f"{figure:34}{cells}{ratio}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="of load for each figure")
    parser.add_argument("--json", help="write the figures there")
    parser.add_argument("--no-peers", action="store_true")
    arguments = parser.parse_args()
    if not LOAD.exists():
        subprocess.run(["ninja", "-C", str(REPO / "build/release"), "cli_s3_load_bench"],
                       check=True, stdout=subprocess.DEVNULL)
    results = {}
    for start in [start_tarn] + ([] if arguments.no_peers else [start_moto, start_ministack]):
        try:
            name, figures = measure(start, arguments.seconds)
        except (SystemExit, subprocess.SubprocessError) as error:
            if start is start_tarn:
                raise
            print(f"{start.__name__[6:]}: not measured: {error}", file=sys.stderr)
            continue
        results[name] = figures
    table(results)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
