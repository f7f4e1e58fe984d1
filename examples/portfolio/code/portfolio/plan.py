# SPDX-License-Identifier: Apache-2.0
"""Lambda: the SQL of one run.

The files under sql/ are statements ended by semicolons, with ${names} for what differs from run
to run. The answer has, for each stage, a list of {"name", "sqls"}: each entry is one
BatchExecuteStatement, which the warehouse runs as one transaction.
"""

import datetime
import os
import pathlib
import re
import string

from portfolio import workbook

# Beside this package in the archives, beside its parent in the source tree.
_ABOVE = pathlib.Path(__file__).resolve().parents
SQL = next(folder / "sql" for folder in _ABOVE[1:3] if (folder / "sql").is_dir())
SOURCES = [*workbook.DATA_SHEETS, "prices"]


def handler(event, context):
    return plan(event["run"], os.environ["LAKE_BUCKET"], os.environ["WAREHOUSE_ROLE_ARN"])


def plan(run, lake, role):
    values = values_of(run, lake, role)
    return {
        "load": stage("load", values),
        "models": stage("models", values),
        "publish": stage("publish", values),
        "summary": statements(SQL / "summary.sql", values)[0],
    }


def raw_key(run, source):
    return f"raw/{source}/{run['folder']}/data_{run['stamp']}.parquet"


def values_of(run, lake, role):
    # These values become SQL text, so each must be of the form that it claims to be.
    as_of = datetime.date.fromisoformat(run["as_of"]).isoformat()
    started = datetime.datetime.strptime(run["started"], "%Y-%m-%d %H:%M:%S")
    for part in (run["folder"], run["stamp"], lake, role):
        if not re.fullmatch(r"[A-Za-z0-9:/._-]+", part):
            raise ValueError(f"{part!r} cannot stand in a SQL statement")
    values = {"as_of": as_of, "started": str(started), "stamp": run["stamp"], "role": role}
    for source in [*SOURCES, "risk"]:
        values[source] = f"s3://{lake}/{raw_key(run, source)}"
    return values


def stage(folder, values):
    files = sorted((SQL / folder).glob("*.sql"))
    return [{"name": file.stem, "sqls": statements(file, values)} for file in files]


def statements(file, values):
    text = string.Template(file.read_text()).substitute(values)
    code = "\n".join(re.sub(r"--.*", "", line).rstrip() for line in text.splitlines())
    parts = [part.strip() for part in code.split(";")]
    return [re.sub(r"\n\s*\n+", "\n", part) for part in parts if part]
