# SPDX-License-Identifier: Apache-2.0
"""Queries of the warehouse through the Redshift Data API, which needs no network route to it."""

import datetime
import os
import time

import boto3

DAYS = {"date"}


class Warehouse:
    def __init__(self):
        self._client = boto3.client("redshift-data")

    def query(self, sql, **parameters):
        """All rows of the result, as dicts. Numbers come as float, dates as date."""
        call = {
            "ClusterIdentifier": os.environ["WAREHOUSE"],
            "Database": os.environ["DATABASE"],
            "SecretArn": os.environ["WAREHOUSE_SECRET_ARN"],
            "Sql": sql,
        }
        if parameters:
            pairs = parameters.items()
            call["Parameters"] = [{"name": name, "value": str(value)} for name, value in pairs]
        statement = self._client.execute_statement(**call)["Id"]
        self._await(statement, sql)
        return self._rows(statement)

    def _await(self, statement, sql):
        pause = 0.01
        while True:
            answer = self._client.describe_statement(Id=statement)
            if answer["Status"] == "FINISHED":
                return
            if answer["Status"] in ("FAILED", "ABORTED"):
                raise RuntimeError(f"{answer['Status']}: {answer.get('Error')}: {sql}")
            time.sleep(pause)
            pause = min(pause * 2, 1.0)

    def _rows(self, statement):
        rows, token = [], None
        while True:
            more = {"NextToken": token} if token else {}
            page = self._client.get_statement_result(Id=statement, **more)
            columns = page["ColumnMetadata"]
            rows += [_row(columns, record) for record in page["Records"]]
            token = page.get("NextToken")
            if not token:
                return rows


def _row(columns, record):
    return {column["name"]: _value(column, cell) for column, cell in zip(columns, record)}


def _value(column, cell):
    if cell.get("isNull"):
        return None
    (value,) = cell.values()
    if column["typeName"] in DAYS:
        return datetime.date.fromisoformat(value)
    if column["typeName"] == "numeric":  # decimals travel as text
        return float(value)
    return value
