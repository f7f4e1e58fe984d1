# SPDX-License-Identifier: Apache-2.0
"""The Redshift Data API against the default warehouse."""
import json
import time
import uuid

import pytest
from botocore.exceptions import ClientError

WHERE = {"ClusterIdentifier": "dev", "Database": "dev", "DbUser": "awsuser"}


def wait(data, identifier, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        description = data.describe_statement(Id=identifier)
        if description["Status"] in ("FINISHED", "FAILED", "ABORTED"):
            return description
        time.sleep(0.02)
    raise AssertionError(f"{identifier} is {description['Status']} after {seconds} s")


def run(data, sql, **more):
    identifier = data.execute_statement(Sql=sql, **(WHERE | more))["Id"]
    return wait(data, identifier)


def rows(data, description):
    found, token = [], {}
    while True:
        page = data.get_statement_result(Id=description["Id"], **token)
        found += [[next(iter(field.values())) for field in row] for row in page["Records"]]
        if "NextToken" not in page:
            return found
        token = {"NextToken": page["NextToken"]}


def test_a_select_gives_typed_fields_and_columns(tarn):
    data = tarn.client("redshift-data")
    done = run(data, "select 1 as i, 1.5::float8 as f, 'x'::varchar(5) as s, true as b, "
                     "null::int as n, 2.50::numeric(8,2) as d, '2026-01-02'::date as day")
    assert (done["Status"], done["HasResultSet"], done["ResultRows"]) == ("FINISHED", True, 1)
    result = data.get_statement_result(Id=done["Id"])
    assert result["Records"] == [[
        {"longValue": 1}, {"doubleValue": 1.5}, {"stringValue": "x"}, {"booleanValue": True},
        {"isNull": True}, {"stringValue": "2.50"}, {"stringValue": "2026-01-02"}]]
    assert [c["name"] for c in result["ColumnMetadata"]] == ["i", "f", "s", "b", "n", "d", "day"]
    assert [c["typeName"] for c in result["ColumnMetadata"]] == [
        "int4", "float8", "varchar", "bool", "int4", "numeric", "date"]


def test_named_parameters_are_bound_not_pasted(tarn):
    data = tarn.client("redshift-data")
    done = run(data, "select cast(:a as int) + cast(:a as int) as twice, :b::varchar(50) as text",
               Parameters=[{"name": "a", "value": "21"}, {"name": "b", "value": "'; drop"}])
    assert rows(data, done) == [[42, "'; drop"]]


def test_large_results_come_in_pages(tarn, unique):
    data = tarn.client("redshift-data")
    table = unique("t").replace("-", "_")
    run(data, f"create table {table} (a int, b varchar(100))")
    digits = "(select 0 d union all select 1 union all select 2 union all select 3 union all " \
             "select 4 union all select 5 union all select 6 union all select 7 union all " \
             "select 8 union all select 9)"
    run(data, f"insert into {table} select a.d + 10*b.d + 100*c.d + 1000*e.d, "
              f"'{'x' * 100}' from {digits} a, {digits} b, {digits} c, {digits} e")
    done = run(data, f"select a, b from {table} order by a")
    assert done["ResultRows"] == 10_000
    assert "NextToken" in data.get_statement_result(Id=done["Id"])
    assert [row[0] for row in rows(data, done)] == list(range(10_000))


def test_a_batch_is_one_transaction(tarn, unique):
    data = tarn.client("redshift-data")
    table = unique("t").replace("-", "_")
    run(data, f"create table {table} (a int)")
    made = data.batch_execute_statement(
        Sqls=[f"insert into {table} values (1)", "select * from no_such_table"], **WHERE)
    failed = wait(data, made["Id"])
    assert failed["Status"] == "FAILED" and "no_such_table" in failed["Error"]
    assert [s["Status"] for s in failed["SubStatements"]] == ["ABORTED", "FAILED"]
    assert rows(data, run(data, f"select count(*) from {table}")) == [[0]]
    made = data.batch_execute_statement(
        Sqls=[f"insert into {table} values (1), (2)", f"select sum(a) as s from {table}"], **WHERE)
    done = wait(data, made["Id"])
    assert [s["ResultRows"] for s in done["SubStatements"]] == [2, 1]
    assert rows(data, {"Id": f"{made['Id']}:2"}) == [[3]]


def test_errors_are_the_engines(tarn):
    data = tarn.client("redshift-data")
    failed = run(data, "selec 1")
    assert failed["Status"] == "FAILED" and failed["Error"].startswith("ERROR: ")
    with pytest.raises(ClientError) as caught:
        data.get_statement_result(Id=failed["Id"])
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    with pytest.raises(ClientError) as caught:
        data.execute_statement(Sql="select 1", ClusterIdentifier="none", Database="dev")
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_client_token_runs_once(tarn, unique):
    data = tarn.client("redshift-data")
    table = unique("t").replace("-", "_")
    run(data, f"create table {table} (a int)")
    token = str(uuid.uuid4())
    made = {data.execute_statement(Sql=f"insert into {table} values (1)", ClientToken=token,
                                   **WHERE)["Id"] for _ in range(3)}
    assert len(made) == 1
    wait(data, made.pop())
    assert rows(data, run(data, f"select count(*) from {table}")) == [[1]]


def test_a_secret_names_the_user_and_is_checked(tarn, unique):
    data, secrets = tarn.client("redshift-data"), tarn.client("secretsmanager")
    good = secrets.create_secret(Name=unique("s"), SecretString=json.dumps(
        {"username": tarn.env["PGUSER"], "password": tarn.env["PGPASSWORD"]}))["ARN"]
    bad = secrets.create_secret(Name=unique("s"), SecretString=json.dumps(
        {"username": tarn.env["PGUSER"], "password": "Wrong-1234"}))["ARN"]
    where = {"ClusterIdentifier": "dev", "Database": "dev"}
    done = wait(data, data.execute_statement(Sql="select 1", SecretArn=good, **where)["Id"])
    assert done["Status"] == "FINISHED"
    with pytest.raises(ClientError) as caught:
        data.execute_statement(Sql="select 1", SecretArn=bad, **where)
    assert "password authentication failed" in caught.value.response["Error"]["Message"]


def test_statements_are_listed_the_newest_first(tarn, unique):
    data = tarn.client("redshift-data")
    name = unique("name")
    ids = [run(data, f"select {i}", StatementName=name)["Id"] for i in range(3)]
    listed = data.list_statements(StatementName=name, MaxResults=2)
    assert [s["Id"] for s in listed["Statements"]] == ids[:0:-1]
    rest = data.list_statements(StatementName=name, MaxResults=2, NextToken=listed["NextToken"])
    assert [s["Id"] for s in rest["Statements"]] == ids[:1]


def test_a_finished_statement_cannot_be_cancelled(tarn):
    data = tarn.client("redshift-data")
    done = run(data, "select 1")
    with pytest.raises(ClientError) as caught:
        data.cancel_statement(Id=done["Id"])
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_the_catalog_can_be_asked(tarn, unique):
    data = tarn.client("redshift-data")
    schema = unique("s").replace("-", "_")
    run(data, f"create schema {schema}")
    run(data, f"create table {schema}.trades (id int not null, price numeric(10,2))")
    assert "dev" in data.list_databases(**WHERE)["Databases"]
    assert data.list_schemas(SchemaPattern=schema, **WHERE)["Schemas"] == [schema]
    assert data.list_tables(SchemaPattern=schema, **WHERE)["Tables"] == [
        {"name": "trades", "type": "TABLE", "schema": schema}]
    columns = data.describe_table(Schema=schema, Table="trades", **WHERE)["ColumnList"]
    assert [(c["name"], c["nullable"]) for c in columns] == [("id", 0), ("price", 1)]


def test_what_was_accepted_runs_exactly_once_across_kill_9(fresh_tarn):
    data = fresh_tarn.client("redshift-data")
    run(data, "create table t (a int)")
    ids = [data.execute_statement(Sql=f"insert into t values ({i})", **WHERE)["Id"]
           for i in range(20)]
    fresh_tarn.restart(kill=True)
    data = fresh_tarn.client("redshift-data")
    assert {wait(data, identifier)["Status"] for identifier in ids} == {"FINISHED"}
    assert rows(data, run(data, "select count(*), count(distinct a) from t")) == [[20, 20]]


def test_the_catalog_comes_in_pages(tarn, unique):
    data = tarn.client("redshift-data")
    prefix = unique("paged").replace("-", "_")
    for i in range(3):
        run(data, f"create table {prefix}_{i} (a int, b int, c int)")
    pages = list(data.get_paginator("list_tables").paginate(
        TablePattern=prefix + "%", PaginationConfig={"PageSize": 2}, **WHERE))
    assert [[t["name"] for t in page["Tables"]] for page in pages] == [
        [f"{prefix}_0", f"{prefix}_1"], [f"{prefix}_2"]]
    columns = data.describe_table(Table=f"{prefix}_0", MaxResults=2, **WHERE)
    assert [c["name"] for c in columns["ColumnList"]] == ["a", "b"] and columns["NextToken"]
