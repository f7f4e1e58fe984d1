# SPDX-License-Identifier: Apache-2.0
"""Fixtures for every test against the real binary. See tests/support/server.py for what `tarn` is.

    def test_a_bucket_can_be_made(tarn, unique):
        tarn.client("s3").create_bucket(Bucket=unique("bucket"))

TARN_BIN names another binary than build/release/bin/tarn; TARN_KEEP_DATA=1 keeps the data
directories and logs of the servers.
"""

from __future__ import annotations

import itertools
import os
import pathlib
import uuid
from collections.abc import Callable, Iterator

import pytest

from support.server import Tarn, binary

REPO = pathlib.Path(__file__).resolve().parents[1]


def pytest_report_header() -> str:
    return f"tarn: {binary()}"


@pytest.fixture(scope="session")
def tarn_binary() -> pathlib.Path:
    if not binary().exists():
        pytest.fail(f"{binary()} does not exist: ./dev build", pytrace=False)
    return binary()


@pytest.fixture(scope="session")
def _shared_tarn(tarn_binary: pathlib.Path) -> Iterator[Tarn]:
    with Tarn() as server:
        yield server


@pytest.fixture
def tarn(_shared_tarn: Tarn) -> Tarn:
    """A server shared by the tests of one worker: use unique names, do not stop it."""
    if _shared_tarn.process is None or _shared_tarn.process.poll() is not None:
        tail = _shared_tarn.log()[-4000:]
        _shared_tarn.process = None
        _shared_tarn.start()
        pytest.fail(f"the server had ended during an earlier test:\n{tail}", pytrace=False)
    return _shared_tarn


@pytest.fixture
def fresh_tarn(tarn_binary: pathlib.Path) -> Iterator[Tarn]:
    """A server of the test's own, with an empty data directory: it may be killed and restarted."""
    with Tarn() as server:
        yield server


@pytest.fixture
def start_tarn(tarn_binary: pathlib.Path) -> Iterator[Callable[..., Tarn]]:
    """start_tarn(data=None, arguments=[...]): as many servers as the test wants."""
    servers: list[Tarn] = []

    def start(data: pathlib.Path | None = None, arguments: list[str] | None = None) -> Tarn:
        servers.append(Tarn(data, arguments))
        return servers[-1].start()

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def unique() -> Callable[[str], str]:
    """unique("bucket") → a name that no other test has: lower case, digits and dashes."""
    base, counter = uuid.uuid4().hex[:10], itertools.count()
    return lambda prefix="t": f"{prefix}-{base}-{next(counter)}"


@pytest.fixture(scope="session")
def shared_materials() -> Callable[[str], pathlib.Path]:
    """shared_materials("conformance/jsonata"): recorded cases that stand beside the repository in
    ../shared. A test that needs one which is not there skips and says so."""
    root = pathlib.Path(os.environ.get("TARN_SHARED", REPO.parent / "shared"))

    def find(path: str) -> pathlib.Path:
        if not (root / path).exists():
            pytest.skip(f"../shared/{path} is not on this machine")
        return root / path

    return find
