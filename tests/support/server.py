# SPDX-License-Identifier: Apache-2.0
"""A real `tarn up` process for tests: started on free ports with its own data directory."""

from __future__ import annotations

import contextlib
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
import threading
import time
from typing import Any

REPO = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0


def binary() -> pathlib.Path:
    """The program under test: TARN_BIN, or the release build."""
    return pathlib.Path(os.environ.get("TARN_BIN", REPO / "build/release/bin/tarn"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clean_environment() -> dict[str, str]:
    """The environment without anything that would change what an AWS or PostgreSQL client does."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith(("AWS_", "PG", "TARN_"))
            and name.lower() not in ("http_proxy", "https_proxy", "all_proxy")
            } | ({"TARN_CACHE": os.environ["TARN_CACHE"]} if "TARN_CACHE" in os.environ else {})


class TarnError(AssertionError):
    """The program did not do what every test relies on."""


class CommandFailed(AssertionError):
    def __init__(self, result: subprocess.CompletedProcess[str]):
        self.result = result
        super().__init__(f"{shlex.join(result.args)} exited with {result.returncode}\n"
                         f"{result.stdout}{result.stderr}")


class Tarn:
    """One server and the clients to it.

    endpoint, port, pg_port, data, env (what `tarn env` exports), access_key, secret_key, region.
    """

    def __init__(self, data: pathlib.Path | None = None, arguments: list[str] | None = None,
                 environment: dict[str, str] | None = None):
        self._own_data = data is None
        self.data = data or pathlib.Path(tempfile.mkdtemp(prefix="tarn-test-"))
        self.arguments = arguments or []
        self.environment = environment or {}
        self.log_path = self.data.with_name(self.data.name + ".log")
        self.process: subprocess.Popen[str] | None = None
        self.port = self.pg_port = 0
        self.env: dict[str, str] = {}

    # Life.

    def start(self) -> "Tarn":
        """Starts on the ports of last time (clients keep working), on free ones at first."""
        if self.process is not None:
            raise TarnError("already running")
        for attempt in range(5):
            self.port = self.port or free_port()
            self.pg_port = self.pg_port or free_port()
            if self._try_start():
                break
            if not self._port_was_taken() or self.env:
                raise TarnError(f"tarn up ended before it was ready:\n{self.log()[-4000:]}")
            self.port = self.pg_port = 0
        else:
            raise TarnError("no free port in five attempts")
        self._read_env()
        return self

    def _try_start(self) -> bool:
        # setpriv: a test run that is killed takes its servers with it.
        command = ["setpriv", "--pdeathsig", "KILL", str(binary()), "up", "--data", str(self.data),
                   "--port", str(self.port), "--pg-port", str(self.pg_port), *self.arguments]
        log = self.log_path.open("a")
        self._log_from = self.log_path.stat().st_size
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True,
            env=clean_environment() | self.environment, start_new_session=True)
        ready = threading.Event()
        # Keeps reading after `ready`: a full pipe would stop the server.
        threading.Thread(target=self._pump, args=(self.process, log, ready), daemon=True).start()
        deadline = time.monotonic() + START_SECONDS_MAX
        while not ready.wait(0.005):
            if self.process.poll() is not None:
                self.process = None
                return False
            if time.monotonic() > deadline:
                self.kill()
                raise TarnError(f"not ready in {START_SECONDS_MAX} s:\n{self.log()[-4000:]}")
        return True

    @staticmethod
    def _pump(process: subprocess.Popen[str], log: Any, ready: threading.Event) -> None:
        with log:
            for line in process.stdout:
                log.write(line)
                log.flush()
                if re.search(r"\bready\b", line):
                    ready.set()

    def _port_was_taken(self) -> bool:
        return bool(re.search(r"in use", self.log()[self._log_from:]))

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def _read_env(self) -> None:
        printed = self.tarn("env", "--data", str(self.data)).stdout
        found = {}
        for line in printed.splitlines():
            for word in shlex.split(line, comments=True):
                name, equals, value = word.partition("=")
                if equals and re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
                    found[name] = value
        wanted = ["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        if missing := [name for name in wanted if name not in found]:
            raise TarnError(f"tarn env does not export {', '.join(missing)}:\n{printed}")
        self.env = found

    def stop(self) -> int:
        """Stops in order (SIGTERM); the exit status. A server that hangs is an error."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            late = f"did not stop in {STOP_SECONDS_MAX} s:\n{self.log()[-4000:]}"
            raise TarnError(late) from None
        self.process = None
        return status

    def kill(self) -> None:
        """kill -9: what a power cut looks like to the data directory."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self, kill: bool = False) -> "Tarn":
        if kill:
            self.kill()
        else:
            self.stop()
        return self.start()

    def close(self) -> None:
        """Stops and removes everything. TARN_KEEP_DATA=1 keeps data and log."""
        group = self.process.pid if self.process else 0
        try:
            status = self.stop()
            if status != 0:
                raise TarnError(f"exited with {status} on SIGTERM:\n{self.log()[-4000:]}")
        finally:
            if group:
                # Nothing that it started may outlive the test.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)
            if not os.environ.get("TARN_KEEP_DATA"):
                if self._own_data:
                    shutil.rmtree(self.data, ignore_errors=True)
                self.log_path.unlink(missing_ok=True)

    def __enter__(self) -> "Tarn":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    # What clients need.

    @property
    def endpoint(self) -> str:
        return self.env["AWS_ENDPOINT_URL"]

    @property
    def region(self) -> str:
        return self.env["AWS_REGION"]

    @property
    def access_key(self) -> str:
        return self.env["AWS_ACCESS_KEY_ID"]

    @property
    def secret_key(self) -> str:
        return self.env["AWS_SECRET_ACCESS_KEY"]

    def client_environment(self, **more: str) -> dict[str, str]:
        """For a subprocess that is a client: the exports of `tarn env`, and nothing else."""
        nothing = os.devnull
        return (clean_environment() | self.env | {
            "AWS_CONFIG_FILE": nothing, "AWS_SHARED_CREDENTIALS_FILE": nothing,
            "AWS_DEFAULT_REGION": self.region, "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "2",
            "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"} | more)

    def session(self, access_key: str | None = None, secret_key: str | None = None,
                token: str | None = None, region: str | None = None) -> Any:
        import boto3
        return boto3.Session(
            aws_access_key_id=access_key or self.access_key,
            aws_secret_access_key=secret_key or self.secret_key,
            aws_session_token=token, region_name=region or self.region)

    def client(self, service: str, *, access_key: str | None = None, secret_key: str | None = None,
               token: str | None = None, region: str | None = None, retries: int = 0,
               **config: Any) -> Any:
        """A boto3 client; `config` goes to botocore's Config. No retries unless asked for: a test
        sees the first answer."""
        from botocore.config import Config
        options = {"retries": {"total_max_attempts": retries + 1}, "connect_timeout": 10,
                   "read_timeout": 120} | config
        return self.session(access_key, secret_key, token, region).client(
            service, endpoint_url=self.endpoint, config=Config(**options))

    def aws(self, *arguments: str, check: bool = True, input: str | None = None,
            env: dict[str, str] | None = None, timeout: float = 120) -> Any:
        """Runs the aws CLI. The completed process: .stdout, .stderr, .returncode, and .json()."""
        program = pathlib.Path(sys.executable).with_name("aws")
        return self._run([str(program), *arguments], check, input, env, timeout)

    def tarn(self, *arguments: str, check: bool = True, input: str | None = None,
             env: dict[str, str] | None = None, timeout: float = 120) -> Any:
        """Runs the tarn command as a client of this server."""
        return self._run([str(binary()), *arguments], check, input, env, timeout)

    def psql(self, sql: str, *arguments: str, check: bool = True, timeout: float = 120) -> Any:
        """Runs psql with the exports of `tarn env`: rows only, unaligned, stops at an error."""
        return self._run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *arguments,
                          "-c", sql], check, None, None, timeout)

    def pg(self, **more: Any) -> Any:
        """A psycopg2 connection to the default warehouse."""
        import psycopg2
        return psycopg2.connect(**({
            "host": self.env["PGHOST"], "port": int(self.env["PGPORT"]),
            "user": self.env["PGUSER"], "password": self.env["PGPASSWORD"],
            "dbname": self.env["PGDATABASE"], "connect_timeout": 10} | more))

    def _run(self, command: list[str], check: bool, input: str | None,
             env: dict[str, str] | None, timeout: float) -> "Completed":
        environment = self.client_environment(**(env or {})) if self.env else clean_environment()
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=timeout,
            **({"input": input} if input is not None else {"stdin": subprocess.DEVNULL}))
        if check and result.returncode != 0:
            raise CommandFailed(result)
        return Completed(result)


class Completed:
    def __init__(self, result: subprocess.CompletedProcess[str]):
        self.returncode, self.stdout, self.stderr = (
            result.returncode, result.stdout, result.stderr)

    def json(self) -> Any:
        return json.loads(self.stdout)


def until(condition: Any, seconds: float = 30.0, every: float = 0.05) -> Any:
    """The first true value of condition(); AssertionError when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {seconds} s: {condition}")
        time.sleep(every)
