# SPDX-License-Identifier: Apache-2.0
"""What the tests of several files ask for; the servers are in tests/conftest.py."""

from __future__ import annotations

import pytest


@pytest.fixture
def s3(tarn):
    return tarn.client("s3")


@pytest.fixture
def bucket(s3, unique):
    name = unique("bucket")
    s3.create_bucket(Bucket=name)
    return name
