# SPDX-License-Identifier: Apache-2.0
"""The entry point of the slim image, as AWS would run it: the script of examples/portfolio/slim in
the base root, fetching from this server with the real aws CLI. test_portfolio.py asks the same of
Tarn's own tarn/slim."""

from __future__ import annotations

import io
import os
import pathlib
import shutil
import subprocess
import tarfile

import pytest

from support.server import REPO

ENTRYPOINT = REPO / "examples/portfolio/slim/entrypoint.sh"
CACHE = pathlib.Path(os.environ.get("TARN_CACHE", pathlib.Path.home() / ".cache/tarn"))
ROOT = CACHE / "roots/current"


def archive(mode: str, **files: str) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode=mode) as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name.replace("__", "/"))
            entry.size, entry.mode = len(text), 0o755
            tar.addfile(entry, io.BytesIO(text.encode()))
    return sink.getvalue()


@pytest.fixture
def slim(tarn, unique):
    """slim(objects, VARIABLE=value…) → exit code and log; {bucket} in values is the bucket."""
    if not shutil.which("bwrap") or not ROOT.exists():
        pytest.skip(f"needs bubblewrap and the base root {ROOT}: ./dev setup")
    bucket, s3 = unique("slim"), tarn.client("s3")
    s3.create_bucket(Bucket=bucket)

    def run(objects: dict[str, bytes], **variables: str) -> tuple[int, str]:
        for key, body in objects.items():
            s3.put_object(Bucket=bucket, Key=key, Body=body)
        root = ROOT.resolve()
        path = "/usr/local/bin:/usr/bin:/bin"
        given = tarn.env | {"AWS_DEFAULT_REGION": tarn.region, "PATH": path}
        given |= {name: value.replace("{bucket}", bucket) for name, value in variables.items()}
        command = ["bwrap", "--ro-bind", root, "/", "--dev", "/dev", "--proc", "/proc",
                   "--tmpfs", "/tmp", "--tmpfs", "/opt", "--ro-bind", root / "opt/aws-cli",
                   "/opt/aws-cli", "--ro-bind", ENTRYPOINT, "/tmp/entrypoint.sh", "--clearenv"]
        for name, value in given.items():
            command += ["--setenv", name, value]
        result = subprocess.run([*command, "/bin/sh", "/tmp/entrypoint.sh"], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        return result.returncode, result.stdout.replace(bucket, "{bucket}")
    return run


def test_code_is_the_working_directory_and_the_environment_comes_first_in_path(slim):
    hello = "#!/bin/sh\necho hello from $0 in $(pwd), $VIRTUAL_ENV\n"
    objects = {"code.tgz": archive("w:gz", a__b="in code"), "venv": archive("w", bin__hello=hello)}
    code, log = slim(objects, CODE_ARCHIVE="s3://{bucket}/code.tgz",
                     VENV_ARCHIVE="s3://{bucket}/venv", COMMAND="cat a/b; echo; hello")
    assert (code, log) == (0, "in code\nhello from /opt/venv/bin/hello in /opt/code, /opt/venv\n")


def test_a_zstandard_archive_is_unpacked(slim):
    if not shutil.which("zstd"):
        pytest.skip("needs zstd")
    packed = subprocess.run(["zstd", "-q"], input=archive("w", x="y"), capture_output=True).stdout
    code, log = slim({"c": packed}, CODE_ARCHIVE="s3://{bucket}/c", COMMAND="cat x")
    assert (code, log) == (0, "y")


def test_a_failing_line_ends_the_script_and_the_container(slim):
    code, log = slim({}, COMMAND="echo before; (exit 7); echo after")
    assert (code, log) == (7, "before\nslim: COMMAND ended with exit code 7\n")


def test_a_missing_object_is_named_in_the_last_line(slim):
    code, log = slim({}, CODE_ARCHIVE="s3://{bucket}/none.tar.gz", COMMAND="echo never")
    assert code == 66
    last = log.splitlines()[-1]
    assert last.startswith("slim: CODE_ARCHIVE: cannot fetch s3://{bucket}/none.tar.gz: ")
    assert "404" in last and "never" not in log


@pytest.mark.parametrize("body", [archive("w:gz", a="b" * 9999)[:60], b"no archive at all"],
                         ids=["cut short", "not an archive"])
def test_a_corrupt_archive_is_named_in_the_last_line(slim, body):
    code, log = slim({"bad": body}, VENV_ARCHIVE="s3://{bucket}/bad", COMMAND="echo never")
    assert code == 65
    last = log.splitlines()[-1]
    assert last.startswith("slim: VENV_ARCHIVE: cannot unpack s3://{bucket}/bad: ")
    assert "never" not in log


def test_without_a_command_there_is_nothing_to_run(slim):
    assert slim({}) == (64, "slim: COMMAND is not set: nothing to run\n")
