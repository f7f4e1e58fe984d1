# SPDX-License-Identifier: Apache-2.0
"""The warehouse's port as real clients use it: psql, psycopg2, redshift_connector."""
import datetime
import decimal
import shutil
import threading
import time

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import pytest
import redshift_connector


@pytest.fixture
def connection(tarn):
    connection = tarn.pg()
    yield connection
    connection.close()


@pytest.fixture
def schema(connection, unique):
    name = unique("s").replace("-", "_")
    with connection.cursor() as cursor:
        cursor.execute(f"create schema {name}; set search_path to {name}, public")
    connection.commit()
    yield name
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute(f"drop schema if exists {name} cascade")
    connection.commit()


def rows(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def redshift(tarn, **more):
    return redshift_connector.connect(
        host=tarn.env["PGHOST"], port=int(tarn.env["PGPORT"]), user=tarn.env["PGUSER"],
        password=tarn.env["PGPASSWORD"], database=tarn.env["PGDATABASE"], **({"ssl": False} | more))


@pytest.fixture
def psql(tarn):
    if not shutil.which("psql"):
        pytest.skip("psql is not installed")
    return lambda command: tarn.psql(command).stdout


def test_psql_connects_by_the_printed_environment(psql):
    assert psql("select 1 as one, 'a|b'") == "1|a|b\n"
    assert "Redshift" in psql("select version()")


def test_psql_describes_tables(psql, connection, schema):
    rows(connection, f"create table {schema}.t(a int not null, b varchar(10), c decimal(8,2))")
    connection.commit()
    assert f"{schema}|t|table|" in psql(f"\\dt {schema}.*")
    described = psql(f"\\d {schema}.t")
    assert "a|integer||not null|" in described and "b|character varying(10)|||" in described
    assert schema in psql("\\dn")
    assert psql("\\l").startswith("dev|")


def test_an_error_tells_state_text_and_place(connection):
    with pytest.raises(psycopg2.errors.UndefinedColumn) as failure:
        rows(connection, "select 1,\n  nosuch from pg_class")
    assert failure.value.diag.message_primary == 'column "nosuch" does not exist'
    assert failure.value.diag.statement_position == "13"
    assert connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_INERROR
    with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
        rows(connection, "select 1")
    connection.rollback()
    assert rows(connection, "select 1") == [(1,)]


def test_what_is_not_listed_is_refused(connection):
    connection.autocommit = True
    for sql in ("select list_value(1)", "create materialized view v as select 1", "call p()",
                "select * from read_csv('/etc/passwd')", "attach 'x'"):
        with pytest.raises((psycopg2.errors.FeatureNotSupported, psycopg2.errors.SyntaxError)):
            rows(connection, sql)
    with pytest.raises(psycopg2.errors.UndefinedTable):
        rows(connection, "select * from '/etc/passwd'")


def test_values_of_every_type_come_back_alike(connection, schema, tarn):
    values = [7, 2**40, decimal.Decimal("12.34"), 1.5, True, "it's \\ é",
              datetime.date(2024, 2, 29), datetime.datetime(2024, 1, 2, 3, 4, 5, 6), None]
    rows(connection, f"create table {schema}.v(a int, b bigint, c decimal(10,2), d float8,"
                     " e boolean, f varchar(20), g date, h timestamp, i smallint)")
    rows(connection, f"insert into {schema}.v values (%s,%s,%s,%s,%s,%s,%s,%s,%s)", values)
    connection.commit()
    assert list(rows(connection, f"select * from {schema}.v")[0]) == values
    for protocol in (0, 1, 2):
        with redshift(tarn, client_protocol_version=protocol) as other:
            cursor = other.cursor()
            cursor.execute(f"select * from {schema}.v where a = %s and f like %s", (7, "it%"))
            assert list(cursor.fetchall()[0]) == values
            assert [column[0] for column in cursor.description] == list("abcdefghi")


def test_redshift_connector_writes_by_parameters(tarn, schema):
    with redshift(tarn) as connection:
        cursor = connection.cursor()
        cursor.execute(f"create table {schema}.w(a int, b varchar(5), c date)")
        cursor.executemany(f"insert into {schema}.w values (%s, %s, %s)",
                           [(i, f"n{i}", datetime.date(2024, 1, 1 + i)) for i in range(5)])
        connection.commit()
        cursor.execute(f"select count(*), max(c) from {schema}.w")
        assert list(cursor.fetchone()) == [5, datetime.date(2024, 1, 5)]
        with pytest.raises(redshift_connector.ProgrammingError) as failure:
            cursor.execute(f"insert into {schema}.w(b) values ('too long')")
        assert failure.value.args[0]["C"] == "22001"
        connection.rollback()


def test_redshift_meanings_hold(connection):
    assert rows(connection, "select 7/2, avg(x), sum(x), 'a' || null from "
                            "(select 1 x union all select 2) t") == [(3, 1, 3, None)]
    connection.commit()
    with pytest.raises(psycopg2.errors.DivisionByZero):
        rows(connection, "select 1/0")


def test_a_wrong_password_is_refused(tarn):
    with pytest.raises(psycopg2.OperationalError) as failure:
        psycopg2.connect(host=tarn.env["PGHOST"], port=tarn.env["PGPORT"], dbname="dev",
                         user=tarn.env["PGUSER"], password="wrong")
    assert f'password authentication failed for user "{tarn.env["PGUSER"]}"' in str(failure.value)
    with pytest.raises(psycopg2.OperationalError) as failure:
        tarn.pg(dbname="nosuch")
    assert 'database "nosuch" does not exist' in str(failure.value)


def test_cancel_stops_a_query(connection):
    timer = threading.Timer(0.5, connection.cancel)
    timer.start()
    with pytest.raises(psycopg2.errors.QueryCanceled):
        rows(connection, "select count(*) from generate_series(1, 100000000) a, "
                         "generate_series(1, 1000) b "
                         "where a.generate_series % 7 = b.generate_series % 5")
    connection.rollback()
    assert rows(connection, "select 1") == [(1,)]


def test_a_second_writer_waits(connection, schema, tarn):
    rows(connection, f"create table {schema}.t(a int); insert into {schema}.t values (1)")
    connection.commit()
    rows(connection, f"update {schema}.t set a = a + 1")
    other = tarn.pg()
    done = []

    def write():
        rows(other, f"update {schema}.t set a = a + 10")
        other.commit()
        done.append(True)

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.3)
    assert not done
    connection.commit()
    writer.join(20)
    other.close()
    assert done and rows(connection, f"select a from {schema}.t") == [(12,)]


def test_a_large_result_streams_and_a_named_portal_pages(connection, tarn):
    cursor = connection.cursor()
    cursor.execute("select g, repeat('x', 50) from generate_series(1, 300000) t(g)")
    assert cursor.rowcount == 300000 and cursor.fetchone()[0] == 1
    cursor.close()


def test_committed_rows_survive_kill(fresh_tarn):
    connection = fresh_tarn.pg()
    rows(connection, "create table kept(a int, b varchar(3)); insert into kept values (1, 'x')")
    connection.commit()
    rows(connection, "insert into kept values (2, 'y')")
    fresh_tarn.restart(kill=True)
    connection = fresh_tarn.pg()
    assert rows(connection, "select * from kept") == [(1, "x")]
    connection.close()
