# SPDX-License-Identifier: Apache-2.0
"""The rows of the services' operation tables, read from the sources, and the page made from them.

    python operation_rows.py write|check

A row is `t.op<CreateQueue>(&Sqs::create_queue)…;` anywhere under src/services/<service>/;
`.partial("…")` on it says what is accepted but not done. Resource types are the names that stand
as text in the services' files about resources.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import pathlib
import re
import sys

REPO = pathlib.Path(os.environ.get("TARN_REPO", pathlib.Path(__file__).parents[2]))
PAGE = REPO / "docs/coverage.md"
ROW = re.compile(r"\bop<(?:\w+::)*(\w+)>\s*\(")
TYPE = re.compile(r'"(AWS::[A-Za-z0-9]+::[A-Za-z0-9]+)"')
PARTIAL = re.compile(r'\.partial\(\s*((?:"(?:\\.|[^"\\])*"\s*)+)\)')


@dataclasses.dataclass(order=True)
class Row:
    service: str  # the folder's name
    operation: str
    note: str  # what is missing; empty where nothing is
    path: str
    line: int


def end_of_statement(text: str, at: int) -> int:
    """The `;` that ends the row: strings and lambdas inside it may hold others."""
    depth = 0
    while at < len(text):
        character = text[at]
        if character == '"':
            at += 1
            while text[at] != '"':
                at += 2 if text[at] == "\\" else 1
        elif character in "({[":
            depth += 1
        elif character in ")}]":
            depth -= 1
        elif character == ";" and depth <= 0:
            return at
        at += 1
    return at


def rows() -> list[Row]:
    found = []
    for file in sorted((REPO / "src/services").rglob("*.cpp")):
        if file.name.endswith("_test.cpp"):
            continue
        # Comments blanked; strings kept, for the notes.
        text = re.sub(r'("(?:\\.|[^"\\\n])*")|//[^\n]*', lambda m: m[1] or "", file.read_text())
        path = str(file.relative_to(REPO))
        for match in ROW.finditer(text):
            statement = text[match.start():end_of_statement(text, match.start())]
            partial = PARTIAL.search(statement)
            note = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', partial[1])) if partial else ""
            found.append(Row(path.split("/")[2], match[1], note.replace('\\"', '"'), path,
                             text.count("\n", 0, match.start()) + 1))
    return sorted(found)


def resource_types() -> list[str]:
    """As codegen/cfn_schemas.py finds them, and those without a schema (custom resources)."""
    names: set[str] = set()
    for file in (REPO / "src/services").glob("*/*resource*.?pp"):
        if not file.name.endswith("_test.cpp"):
            names.update(TYPE.findall(file.read_text()))
    return sorted(names)


def modelled(service: str) -> tuple[str, int]:
    """The full name of a service and how many operations its model has."""
    import botocore

    folder = pathlib.Path(botocore.__file__).parent / "data" / service.replace("_", "-")
    models = sorted(folder.glob("*/service-2.json*"))
    if not models:
        sys.exit(f"operation_rows: botocore has no service '{service.replace('_', '-')}'")
    raw = models[-1].read_bytes()
    model = json.loads(gzip.decompress(raw) if models[-1].suffix == ".gz" else raw)
    metadata = model["metadata"]
    name = metadata.get("serviceAbbreviation", metadata["serviceFullName"])
    return name, len(model["operations"])


def page() -> str:
    table = rows()
    services = sorted({row.service for row in table})
    lines = ["# Coverage", "",
             "Every operation that Tarn implements, made from the operation tables by `./dev fmt`,",
             "and every [resource type](#cloudformation-resource-types) that CloudFormation makes.",
             "`tarn ops` prints the same from the program itself. An operation that is not listed",
             "answers 501 `NotImplemented` and names itself.", "",
             "| service | operations | of | with a limit |", "|---|---|---|---|"]
    detail: list[str] = []
    for service in services:
        own = [row for row in table if row.service == service]
        name, total = modelled(service)
        limited = [row for row in own if row.note]
        lines.append(f"| [{name}](#{service.replace('_', '-')}) | {len(own)} | {total} "
                     f"| {len(limited) or ''} |")
        detail += ["", f"## {service.replace('_', '-')}", ""]
        detail += wrapped(", ".join(row.operation for row in own if not row.note))
        detail += [f"- {row.operation}: {row.note}" for row in limited]
    return "\n".join(lines + detail + types_by_service()) + "\n"


def types_by_service() -> list[str]:
    groups: dict[str, list[str]] = {}
    for name in resource_types():
        groups.setdefault(name.rsplit("::", 1)[0], []).append(f"`{name}`")
    lines = ["", "## CloudFormation resource types", "",
             "Properties that a type does not act on are refused by name when a template is read.",
             ""]
    for names in groups.values():
        item = wrapped(", ".join(names))
        lines += [f"- {item[0]}", *(f"  {line}" for line in item[1:])]
    return lines


def wrapped(text: str, width: int = 110) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width)


def main() -> None:
    if sys.argv[1:] == ["write"]:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page())
    elif sys.argv[1:] == ["check"]:
        sys.exit(0 if PAGE.exists() and PAGE.read_text() == page() else "docs/coverage.md is old")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
