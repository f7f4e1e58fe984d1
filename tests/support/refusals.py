# SPDX-License-Identifier: Apache-2.0
"""What an operation must refuse, and how.

    with refused("NoSuchBucket", "The specified bucket does not exist", 404):
        s3.head_object(...)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import botocore.exceptions
import pytest


@contextlib.contextmanager
def refused(code: str, text: str | None = None, status: int | None = None) -> Iterator[Any]:
    """The block must end in that error; `text` is part of its message."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        yield caught
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    if text is not None:
        assert text in error.get("Message", ""), error
    if status is not None:
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
