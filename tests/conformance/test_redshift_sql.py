# SPDX-License-Identifier: Apache-2.0
"""Redshift's features by its documentation (../shared/conformance/sql): each statement gives the
value that is written there, or is refused with 0A000. Nothing else: a wrong value is a failure, and
what is known to differ stands in redshift_sql_expected_failures.txt with its reason."""
import json
import pathlib

import psycopg2

EXPECTED = pathlib.Path(__file__).with_name("redshift_sql_expected_failures.txt")
# What the statements of the list stand on.
PREPARE = "create table t1(a int); create table t1b(a int); insert into t1 values (1), (2); " \
          "insert into t1b values (2), (3)"


def outcome(cursor, case) -> str:
    """right, ran (no value is given), refused, or what went wrong."""
    try:
        cursor.execute(case["sql"])
        value = cursor.fetchone()[0] if cursor.description else None
    except psycopg2.Error as error:
        return "refused" if error.pgcode == "0A000" else f"error {error.pgcode}"
    if "value" not in case:
        return "ran"
    wanted = case["value"]
    if isinstance(wanted, bool) or isinstance(wanted, str) or wanted is None:
        return "right" if value == wanted or str(value) == wanted else f"gave {value!r}"
    return "right" if value is not None and float(value) == float(wanted) else f"gave {value!r}"


def test_every_feature_is_right_or_refused(fresh_tarn, shared_materials):
    cases = json.loads((shared_materials("conformance/sql") / "redshift-features.json").read_text())
    expected = dict(line.split(": ", 1) for line in EXPECTED.read_text().splitlines()
                    if line and not line.startswith("#"))
    connection = fresh_tarn.pg()
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute(PREPARE)
    found = {case["name"]: outcome(cursor, case) for case in cases}
    connection.close()
    wrong = {name: said for name, said in found.items() if said not in ("right", "ran", "refused")}
    assert {name: said for name, said in wrong.items() if name not in expected} == {}
    assert sorted(expected.keys() - wrong.keys()) == [], "no failure any more: take it off the list"
    assert sum(said in ("right", "ran") for said in found.values()) >= 70


