# SPDX-License-Identifier: Apache-2.0
"""The load of examples/portfolio, killed with -9 at twenty points spread over the run. After each
the data directory is opened again, the run goes on by itself, and the tables are the same."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from support.portfolio import Platform
from support.server import Tarn

POINTS = 20

pytestmark = [pytest.mark.slow, pytest.mark.destructive]


class Measured:
    """A platform, how long a whole run takes on it, and what the run leaves."""

    def __init__(self, platform: Platform):
        self.platform = platform
        platform.deploy()
        platform.upload("positions.xlsx")
        platform.succeed(platform.new_execution())
        # The second run finds its layers cached, as the runs that are killed will.
        platform.empty()
        begun = time.monotonic()
        platform.succeed(platform.start())
        self.seconds = time.monotonic() - begun
        self.contents = platform.contents()


@pytest.fixture(scope="module")
def measured(tarn_binary, tmp_path_factory) -> Iterator[Measured]:
    with Tarn() as tarn:
        yield Measured(Platform(tarn, tmp_path_factory.mktemp("dist")))


@pytest.mark.parametrize("point", range(POINTS))
def test_a_run_killed_at_any_point_goes_on_to_the_same_tables(measured, point):
    platform = measured.platform
    platform.empty()
    arn = platform.start()
    time.sleep(measured.seconds * point / POINTS)
    platform.tarn.kill()
    platform.tarn.start()
    # Nothing but opening the data directory again resumes the run.
    platform.succeed(arn)
    contents = platform.contents()
    for table, rows in measured.contents.items():
        assert contents[table] == rows, table
    # One load, however often its statements were begun.
    (count,) = platform.rows("SELECT COUNT(*) FROM core.load_run")[0]
    assert count == 7
