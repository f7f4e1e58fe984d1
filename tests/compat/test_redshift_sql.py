# SPDX-License-Identifier: Apache-2.0
"""SQL that DuckDB would run with another meaning than Redshift's: Redshift's answer, or 0A000."""

from __future__ import annotations

import json
import pathlib

import psycopg2
import psycopg2.errors
import pytest
import redshift_connector

FEATURES = pathlib.Path(__file__).parents[3] / "shared/conformance/sql/redshift-features.json"
# The documentation's rule for scales gives 13 digits here: an INTEGER is a NUMERIC(10,0).
DISPUTED = {"numeric div": "0.3333333333333"}

ANSWERS = [
    # Trailing blanks say nothing where strings are compared, in CHAR and in VARCHAR.
    ("select 'a '::varchar = 'a', 'a' = 'a  ', 'a'::char(3) = 'a  '", ("t", "t", "t")),
    ("select 'a ' in ('a', 'b'), 'b ' between 'a' and 'b', nullif('a ', 'a')", ("t", "t", None)),
    ("select case 'a ' when 'a' then 1 end, decode('a ', 'a', 1, 2)", ("1", "1")),
    ("select 'a ' in (select 'a'), 'a ' not in (select 'a'::varchar)", ("t", "f")),
    ("select length('a '::varchar), length('a '::char(5)), 'a ' like 'a'", ("2", "1", "f")),
    # Integers
    ("select 7/2, -7/2, 32767::smallint + 1, -7 % 3", ("3", "-3", "32768", "-1")),
    # Decimals: the documented precision and scale
    ("select 100000::numeric(18,4) * 100000::numeric(18,4)", ("10000000000.00000000",)),
    ("select 9999999999999999.99::numeric(18,2) + 0.01::numeric(18,2)",
     ("10000000000000000.00",)),
    ("select sum(a) * sum(b) from (select 1.23::numeric(10,2) a, 4.56::numeric(10,2) b) t",
     ("5.6088",)),
    ("select 1.0/3, 10.00/3.000", ("0.333333333333", "3.3333")),
    ("select median(x)::numeric(10,3) from (select 1.00::numeric(8,2) x union all select 1.01) t",
     ("1.005",)),
    # Texts as times
    ("select '20240105'::date, '01/05/2024'::date, 'Jan 5, 2024'::date, '5-Jan-2024'::date",
     ("2024-01-05",) * 4),
    ("select '2024-01-05 03:04 PM'::timestamp, '2024-01-05 10:11:12+02'::timestamp",
     ("2024-01-05 15:04:00", "2024-01-05 10:11:12")),
    ("select timestamp with time zone '2024-01-01 00:00+00', '2024-07-05 10:00 PST'::timestamptz",
     ("2024-01-01 00:00:00+00", "2024-07-05 18:00:00+00")),
    ("select convert_timezone('EST', 'PST', '2024-07-05 10:00:00'),"
     " convert_timezone('America/New_York', '2024-07-05 10:00:00')",
     ("2024-07-05 07:00:00", "2024-07-05 06:00:00")),
    ("select to_date('20010631', 'YYYYMMDD'), last_day('2024-02-03')",
     ("2001-07-01", "2024-02-29")),
    ("select '2024-01-31'::date + interval '1' month, to_char('2024-01-05 01:00'::timestamp,"
     " 'SSSS')", ("2024-02-29 00:00:00", "3600")),
]

REFUSED = [
    ("select '2.5'::int", "22P02"), ("select '1e3'::bigint", "22P02"),
    ("select '2024-01-05abc'::date", "22007"), ("select '2024-02-30'::date", "22008"),
    ("select to_date('', 'YYYY-MM-DD')", "0A000"),
    ("select to_date('20010631', 'YYYYMMDD', true)", "22007"),
    ("select convert_timezone('XYZ', '2024-07-05 10:00:00')", "0A000"),
    ("select to_char('2024-01-05'::timestamp, 'AD YYYY')", "0A000"),
    ("select 'abc' similar to 'a%'", "0A000"),
]


@pytest.fixture
def connection(tarn):
    connection = tarn.pg()
    connection.autocommit = True
    for oid in (16, 20, 21, 23, 700, 701, 1043, 1082, 1114, 1184, 1700):
        psycopg2.extensions.register_type(
            psycopg2.extensions.new_type((oid,), "raw", lambda value, cursor: value), connection)
    yield connection
    connection.close()


@pytest.fixture
def schema(connection, unique):
    name = unique("s").replace("-", "_")
    run(connection, f"create schema {name}; set search_path to {name}, public")
    yield name
    run(connection, f"drop schema {name} cascade")


def run(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else cursor.rowcount


@pytest.mark.parametrize("sql,expected", ANSWERS)
def test_the_answer_is_redshifts(connection, sql, expected):
    assert run(connection, sql) == [expected]


@pytest.mark.parametrize("sql,state", REFUSED)
def test_what_has_no_answer_is_refused(connection, sql, state):
    with pytest.raises(psycopg2.Error) as failure:
        run(connection, sql)
    assert failure.value.pgcode == state, failure.value


def test_every_listed_statement_gives_redshifts_answer_or_is_refused(connection, schema):
    if not FEATURES.exists():
        pytest.skip(f"{FEATURES} is absent")
    run(connection, "create table t1(a int); create table t1b(a int)")
    wrong = []
    for feature in json.loads(FEATURES.read_text()):
        expected = DISPUTED.get(feature["name"], feature.get("value"))
        try:
            rows = run(connection, feature["sql"])
            run(connection, f"set search_path to {schema}, public")
        except psycopg2.Error as error:
            # `copy` names a role that the cluster does not have; LOCK needs a transaction.
            if error.pgcode != "0A000" and feature["name"] not in ("copy", "lock", "CONNECT BY"):
                wrong.append((feature["name"], error.pgcode, str(error)))
            continue
        if expected is None:
            continue
        found = rows[0][0]
        if isinstance(expected, bool):
            expected = "t" if expected else "f"
        elif isinstance(expected, (int, float)):
            found, expected = float(found), float(expected)
        if found != expected:
            wrong.append((feature["name"], found, expected))
    assert not wrong


def test_strings_join_without_their_trailing_blanks(connection, schema):
    run(connection, "create table p(x varchar(10), n int); create table q(x char(5))")
    run(connection, "insert into p values ('a', 1), ('a  ', 2), ('b', 3), (null, 4);"
                    "insert into q values ('a')")
    assert run(connection, "select count(*) from p where x = 'a'") == [("2",)]
    assert run(connection, "select count(*) from p join q on p.x = q.x") == [("2",)]
    assert run(connection, "select count(*) from p where x in (select x from q)") == [("2",)]
    assert run(connection, "select count(*) from p where exists "
                           "(select 1 from q where q.x = p.x)") == [("2",)]
    assert run(connection, "select count(*) from p o where x in "
                           "(select x from p i where i.n = o.n)") == [("3",)]
    with pytest.raises(psycopg2.errors.InvalidTextRepresentation):
        run(connection, "insert into p(n) values ('2.5')")


def test_results_have_redshifts_types(connection):
    with connection.cursor() as cursor:
        cursor.execute("select length('a'), strpos('a','a'), charindex('a','a'), "
                       "json_array_length('[1]'), 1::smallint + 1, sum(1), avg(1), "
                       "1::numeric(10,2) * 1::numeric(10,2), count(*)")
        assert [c.type_code for c in cursor.description] == [23, 23, 23, 23, 23, 20, 20, 1700, 20]
        assert (cursor.description[7].precision, cursor.description[7].scale) == (21, 4)


def test_merge_changes_no_row_twice(connection, schema):
    run(connection, "create table t(a int, b int); create table s(a int, b int)")
    run(connection, "insert into t values (1, 1); insert into s values (1, 2), (1, 3)")
    merge = ("merge into t using s on t.a = s.a when matched then update set b = s.b "
             "when not matched then insert values (s.a, s.b)")
    with pytest.raises(psycopg2.errors.CardinalityViolation) as failure:
        run(connection, merge)
    assert "multiple matches" in str(failure.value)
    assert run(connection, "select b from t") == [("1",)]
    run(connection, "delete from s where b = 3; insert into s values (2, 2)")
    run(connection, merge)
    assert run(connection, "select a, b from t order by a") == [("1", "2"), ("2", "2")]


def test_parameters_of_unknown_type_are_texts(tarn):
    with redshift_connector.connect(
            host=tarn.env["PGHOST"], port=int(tarn.env["PGPORT"]), user=tarn.env["PGUSER"],
            password=tarn.env["PGPASSWORD"], database="dev", ssl=False) as connection:
        cursor = connection.cursor()
        cursor.execute("select %s, %s, %s", (1, "x", 2.5))
        assert list(cursor.fetchone()) == [1, "x", 2.5]
        cursor.execute("select %s || 'y' as joined", ("x",))
        assert list(cursor.fetchone()) == ["xy"]
        cursor.execute("select 1 where 5 = %s", ("5",))
        assert list(cursor.fetchone()) == [1]
