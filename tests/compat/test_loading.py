# SPDX-License-Identifier: Apache-2.0
"""Loading the warehouse from S3, and unloading, as psql, psycopg2 and redshift_connector do it."""

from __future__ import annotations

import gzip
import io
import json

import psycopg2
import psycopg2.errors
import pyarrow.parquet
import pytest
import redshift_connector

TRADES = "id,ticker,price\n1,AAPL,190.50\n2,MSFT,\n3,\"A, B\",0.25\n"
ROWS = [(1, "AAPL", "190.50"), (2, "MSFT", None), (3, "A, B", "0.25")]


@pytest.fixture
def lake(tarn, unique):
    """(bucket, put(key, bytes))"""
    s3, bucket = tarn.client("s3"), unique("lake")
    s3.create_bucket(Bucket=bucket)
    return bucket, lambda key, body: s3.put_object(Bucket=bucket, Key=key, Body=body)


@pytest.fixture
def role(tarn, unique):
    """role(*actions) → ARN of a role that the default cluster has."""
    iam, redshift = tarn.client("iam"), tarn.client("redshift")
    made = []

    def make(*actions, attach=True):
        name = unique("role")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "redshift.amazonaws.com"},
                "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}))
        if attach:
            redshift.modify_cluster_iam_roles(ClusterIdentifier="dev", AddIamRoles=[arn])
            made.append(arn)
        return arn

    yield make
    if made:
        redshift.modify_cluster_iam_roles(ClusterIdentifier="dev", RemoveIamRoles=made)


@pytest.fixture
def table(tarn, unique):
    name = unique("trades").replace("-", "_")
    tarn.psql(f"create table {name} (id int, ticker varchar(10), price decimal(8,2))")
    yield name
    tarn.psql(f"drop table if exists {name}", timeout=20)


def content(tarn, table):
    connection = tarn.pg()
    with connection, connection.cursor() as cursor:
        cursor.execute(f"select id, ticker, price::varchar from {table} order by id")
        found = cursor.fetchall()
    connection.close()
    return found


def test_psql_copies_csv(tarn, lake, role, table):
    bucket, put = lake
    put("in/1.csv", TRADES)
    reader = role("s3:GetObject", "s3:ListBucket")
    out = tarn._run(["psql", "-X", "-v", "ON_ERROR_STOP=1", "-c",
                     f"copy {table} from 's3://{bucket}/in/' iam_role '{reader}' csv "
                     "ignoreheader 1"], True, None, None, 60)
    assert "COPY" in out.stdout
    assert content(tarn, table) == ROWS


def test_psycopg2_copies_parts_of_a_prefix_in_one_transaction(tarn, lake, role, table):
    bucket, put = lake
    put("parts/0.gz", gzip.compress(b"1|AAPL|1.50\n2|MSFT|2.50\n"))
    put("parts/1.gz", gzip.compress(b"3|GOOG|3.50\n"))
    reader = role("s3:GetObject", "s3:ListBucket")
    connection = tarn.pg()
    with connection.cursor() as cursor:
        cursor.execute(f"copy {table} from 's3://{bucket}/parts/' iam_role '{reader}' gzip")
        cursor.execute("select pg_last_copy_count(), pg_last_unload_count()")
        assert cursor.fetchone() == (3, -1)
    connection.rollback()
    assert content(tarn, table) == []
    with connection.cursor() as cursor:
        cursor.execute(f"copy {table} from 's3://{bucket}/parts/' iam_role '{reader}' gzip")
    connection.commit()
    connection.close()
    assert [row[1] for row in content(tarn, table)] == ["AAPL", "MSFT", "GOOG"]


def test_redshift_connector_copies_json_and_unloads_parquet(tarn, lake, role, table):
    bucket, put = lake
    put("rows.json", '{"id": 1, "ticker": "AAPL", "price": 190.5}\n{"id": 2, "ticker": "MSFT"}\n')
    writer = role("s3:*")
    with redshift_connector.connect(
            host=tarn.env["PGHOST"], port=int(tarn.env["PGPORT"]), user=tarn.env["PGUSER"],
            password=tarn.env["PGPASSWORD"], database="dev", ssl=False) as connection:
        cursor = connection.cursor()
        cursor.execute(f"copy {table} from 's3://{bucket}/rows.json' iam_role '{writer}' "
                       "format as json 'auto'")
        connection.commit()
        cursor.execute(f"unload ('select * from {table} order by id') to 's3://{bucket}/out/' "
                       f"iam_role '{writer}' format as parquet")
        connection.commit()
    s3 = tarn.client("s3")
    [written] = s3.list_objects_v2(Bucket=bucket, Prefix="out/")["Contents"]
    body = s3.get_object(Bucket=bucket, Key=written["Key"])["Body"].read()
    frame = pyarrow.parquet.read_table(io.BytesIO(body)).to_pylist()
    assert [(r["id"], r["ticker"], r["price"] and str(r["price"])) for r in frame] == [
        (1, "AAPL", "190.50"), (2, "MSFT", None)]


def test_what_cannot_be_loaded_says_why_and_leaves_nothing(tarn, lake, role, table):
    bucket, put = lake
    put("good.csv", "1,A,1.0\n")
    put("bad.csv", "2,B,2.0\n3,C,not a number\n")
    reader, blind = role("s3:GetObject", "s3:ListBucket"), role("sqs:*")
    foreign = role("s3:*", attach=False)
    connection = tarn.pg()
    connection.autocommit = True

    def refusal(statement, error):
        with connection.cursor() as cursor, pytest.raises(error) as caught:
            cursor.execute(statement)
        return caught.value.diag.message_primary

    assert "good.csv" not in refusal(
        f"copy {table} from 's3://{bucket}/missing' iam_role '{reader}' csv", psycopg2.Error)
    text = refusal(f"copy {table} from 's3://{bucket}/' iam_role '{reader}' csv", psycopg2.Error)
    assert "not a number" in text or "bad.csv" in text, text
    refusal(f"copy {table} from 's3://{bucket}/good.csv' iam_role '{blind}' csv",
            psycopg2.errors.InsufficientPrivilege)
    refusal(f"copy {table} from 's3://{bucket}/good.csv' iam_role '{foreign}' csv", psycopg2.Error)
    connection.close()
    assert content(tarn, table) == []


def test_texts_are_unloaded_as_redshift_writes_them(tarn, lake, role):
    bucket, _ = lake
    writer = role("s3:*")
    tarn.psql("unload ('select true, 1.0::float8, 2.50::numeric(8,2), null::int, 100::real') "
              f"to 's3://{bucket}/text/' iam_role '{writer}'")
    tarn.psql("unload ('select false as f, 0.5::float8 as r') "
              f"to 's3://{bucket}/csv/' iam_role '{writer}' csv header")
    s3 = tarn.client("s3")
    read = lambda key: s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    assert read("text/0000_part_00") == b"t|1|2.50||100\n"
    assert read("csv/0000_part_00") == b"f,r\nf,0.5\n"


def test_a_failed_load_is_told_in_stl_load_errors(tarn, lake, role, table):
    bucket, put = lake
    put("short.csv", "1,A,1.0\n2,B\n")
    reader = role("s3:GetObject", "s3:ListBucket")
    connection = tarn.pg()
    with connection.cursor() as cursor, pytest.raises(psycopg2.Error) as caught:
        cursor.execute(f"copy {table} from 's3://{bucket}/short.csv' iam_role '{reader}' csv")
    assert "line 2" in caught.value.diag.message_primary
    assert "stl_load_errors" in caught.value.diag.message_hint
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute("select filename, line_number, raw_line, err_reason from stl_load_errors e "
                       f"join pg_class c on c.oid = e.tbl where c.relname = '{table}'")
        [(name, line, raw, reason)] = cursor.fetchall()
    connection.close()
    assert (name, line, raw) == (f"s3://{bucket}/short.csv", 2, "2,B") and "Columns" in reason


@pytest.mark.parametrize("option", ["json 'auto ignorecase'", "escape", "maxerror 5",
                                    "fixedwidth '1:1'", "acceptinvchars"])
def test_what_copy_cannot_do_it_refuses(tarn, table, option):
    connection = tarn.pg()
    with connection.cursor() as cursor, pytest.raises(psycopg2.errors.FeatureNotSupported):
        cursor.execute(f"copy {table} from 's3://b/k' iam_role 'arn:aws:iam::1:role/r' {option}")
    connection.close()
