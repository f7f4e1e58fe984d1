# SPDX-License-Identifier: Apache-2.0
"""The models' patterns are Java's; RE2 must read their translation, and mean the same by it."""
import os
import sys

import pytest

from conftest import loader

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from tarn_codegen import patterns  # noqa: E402

# How many of all patterns are left unchecked: they look around, refer back, or repeat too often.
UNCHECKED_MAX = 190


def all_patterns():
    found = {}
    for service in loader().list_available_services("service-2"):
        version = loader().determine_latest_version(service, "service-2")
        model = loader().load_data(os.path.join(service, version, "service-2"))
        for name, shape in model["shapes"].items():
            if shape.get("pattern"):
                found.setdefault(shape["pattern"], f"{service}.{name}")
    return found


def test_every_pattern_is_read_by_re2_or_left_unchecked(driver):
    unchecked, refused = [], []
    for pattern, where in all_patterns().items():
        expression, _ = patterns.translate(pattern)
        if not expression:
            unchecked.append(where)
            continue
        answer = driver(do="pattern", expression=expression, text="x")
        if "refused" in answer:
            refused.append((where, pattern, expression, answer["refused"]))
    assert not refused, f"{len(refused)}: {refused[:10]}"
    assert len(unchecked) <= UNCHECKED_MAX, unchecked


@pytest.mark.parametrize("pattern, yes, no", [
    (r"[\w-]+", "a-b_1", "a b"),
    (r"^[a-z]", "a1", "1a"),
    (r"[a-z]{1,2048}", "abc", "aB"),
    (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*", "a😀\n", "a\x01"),
    (r"\p{Alpha}[\p{Alnum}_]*", "a_1", "1a"),
    (r"[a-z*+]{2}+x*+", "a+x", "a"),
    (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "é x", "a#"),
    (r"(?!aws:)[a-z]+", "", ""),
])
def test_translations_mean_the_same(driver, pattern, yes, no):
    expression, partial = patterns.translate(pattern)
    if not yes:
        assert expression == ""
        return
    assert driver(do="pattern", expression=expression, text=yes, partial=partial)["matches"]
    assert not driver(do="pattern", expression=expression, text=no, partial=partial)["matches"]
