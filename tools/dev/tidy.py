# SPDX-License-Identifier: Apache-2.0
"""The house rules as checks: `./dev tidy`. Each check yields findings `file:line: message`."""

import argparse
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import operation_rows

REPO = pathlib.Path(os.environ.get("TARN_REPO", pathlib.Path(__file__).parents[2]))
LINE_LENGTH_MAX = 100
FUNCTION_LINES_MAX = 70

# The layers: what each may include besides itself. `services` may not include each other.
BELOW = {
    "base": [],
    "kernel": ["base"],
    "aws": ["base"],
    "platform": ["kernel", "aws", "base"],
    "engines": ["kernel", "base"],
    "services": ["platform", "aws", "kernel", "base", "engines"],
    "gateway": ["platform", "aws", "kernel", "base"],
    "pgwire": ["platform", "aws", "kernel", "base", "engines/sql"],
    "cli": ["aws", "base"],
    "server": None,  # the one place that names everything
}
# A library, the includes that mean it, and the only folders where they may stand.
LIBRARIES = [
    ("RocksDB", re.compile(r"^rocksdb/"), ["src/kernel/store", "src/kernel/txn"]),
    ("DuckDB", re.compile(r"^duckdb(/|\.h)"), ["src/engines/sql/"]),
    ("Asio and Beast", re.compile(r"^boost/(asio|beast)"), ["src/gateway/", "src/pgwire/"]),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


@dataclasses.dataclass
class Source:
    path: str  # relative to the repository
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def is_cpp(self) -> bool:
        return self.path.endswith((".cpp", ".hpp", ".h"))


def sources() -> list[Source]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPO, check=True, capture_output=True, text=True).stdout
    found = []
    for path in sorted(set(listed.split("\0")) - {""}):
        file = REPO / path
        if file.is_file() and not file.is_symlink() and path.endswith(
                (".cpp", ".hpp", ".h", ".py", ".sh", ".cmake", "CMakeLists.txt")):
            found.append(Source(path, file.read_text(encoding="utf-8")))
    return found


def unit_of(path: str) -> tuple[str, str]:
    """("services", "services/sqs") for src/services/sqs/x.cpp; ("base", "base") for src/base/x."""
    parts = path.removeprefix("src/").split("/")
    if parts[0] in ("engines", "services") and len(parts) > 2:
        return parts[0], "/".join(parts[:2])
    return parts[0], parts[0]


def may_include(layer: str, unit: str, target: str) -> str | None:
    """Why `unit` may not include src/`target`; None where it may."""
    target_layer, target_unit = unit_of("src/" + target)
    if target_layer not in BELOW or target_unit == unit:
        return None
    allowed = BELOW[layer]
    if allowed is None:
        return None
    if target_layer not in allowed and target_unit not in allowed:
        if layer == target_layer:
            return f"{unit} may not include {target_unit}: {layer} never include each other"
        return f"{layer} may not include {target_layer}, only: {', '.join(allowed) or 'itself'}"
    if target_layer == "engines" and layer == "services" and target.count("/") > 2:
        return f"services see only the public headers of {target_unit}, not its inner folders"
    return None


def layers(all_sources: list[Source]) -> Iterator[str]:
    for source in all_sources:
        layer, unit = unit_of(source.path)
        if not source.is_cpp or not source.path.startswith("src/"):
            continue
        if layer not in BELOW:
            yield f"{source.path}:1: src/{layer} is not a folder that DESIGN knows"
            continue
        for number, line in enumerate(source.lines, 1):
            if match := INCLUDE.match(line):
                target = match[2]
                if ".." in target.split("/"):
                    yield f"{source.path}:{number}: include from the root of src, not by .."
                elif reason := may_include(layer, unit, target):
                    yield f"{source.path}:{number}: {reason}"


def libraries(all_sources: list[Source]) -> Iterator[str]:
    for source in all_sources:
        if not source.is_cpp or not source.path.startswith("src/"):
            continue
        for number, line in enumerate(source.lines, 1):
            match = INCLUDE.match(line)
            for name, pattern, homes in LIBRARIES if match else []:
                if pattern.match(match[2]) and not source.path.startswith(tuple(homes)):
                    yield f"{source.path}:{number}: only {' and '.join(homes)} may include {name}"


def forbidden_forms(all_sources: list[Source]) -> Iterator[str]:
    forms = [
        (re.compile(r"co_await\s+[\w:.\->]+(<[^;{}]*>)?\(\s*\{"),
         "a braced temporary inside co_await is destroyed twice by some compilers: name it"),
        (re.compile(r"\[[^\[\]\s][^\[\]]*\]\s*\([^()]*\)\s*(mutable\s*)?(noexcept\s*)?->\s*"
                    r"([\w]+::)*Task<"),
         "a capturing lambda must not be a coroutine: its captures die before it resumes"),
        (re.compile(r"^\s*#\s*include\s*<(format|expected)>", re.M),
         "the standard library here has none: use fmt, exceptions"),
        (re.compile(r"^\s*#\s*define\s+DEBUG\b", re.M), "DEBUG changes DuckDB's class layouts"),
        (re.compile(r"^\s*using namespace (std|boost)\s*;", re.M), "no using-directive for these"),
        (re.compile(r"\bstd::(cout|cerr|endl)\b"), "use fmt or the log instead"),
    ]
    for source in all_sources:
        if not source.is_cpp or not source.path.startswith("src/"):
            continue
        code = without_comments(source.text)
        for pattern, reason in forms:
            for match in pattern.finditer(code):
                yield f"{source.path}:{code.count(chr(10), 0, match.start()) + 1}: {reason}"


def licence_lines(all_sources: list[Source]) -> Iterator[str]:
    for source in all_sources:
        if not any("SPDX-License-Identifier: Apache-2.0" in line for line in source.lines[:3]):
            yield f"{source.path}:1: no 'SPDX-License-Identifier: Apache-2.0' at the top"


def line_length(all_sources: list[Source]) -> Iterator[str]:
    for source in all_sources:
        raw = raw_string_lines(source.text) if source.is_cpp else set()
        for number, line in enumerate(source.lines, 1):
            if len(line) > LINE_LENGTH_MAX and number not in raw and "://" not in line:
                yield f"{source.path}:{number}: {len(line)} columns (at most {LINE_LENGTH_MAX})"


def file_names(all_sources: list[Source]) -> Iterator[str]:
    vague = re.compile(r"(^|_)(utils?|helpers?|common|manager|misc)(_|\.|$)")
    for source in all_sources:
        name = source.path.rsplit("/", 1)[-1]
        if not source.path.startswith("src/") or not source.is_cpp:
            continue
        if name != name.lower() or "-" in name:
            yield f"{source.path}:1: file names are snake_case"
        if vague.search(name):
            yield f"{source.path}:1: the name says nothing: name the one concept that is in it"


def header_comments(all_sources: list[Source]) -> Iterator[str]:
    for source in all_sources:
        if not source.path.endswith(".hpp") or not source.path.startswith("src/"):
            continue
        head = source.lines[:8]
        if "#pragma once" not in source.text:
            yield f"{source.path}:1: no #pragma once"
        prose = [line for line in head if line.startswith("//") and "SPDX" not in line]
        if not prose:
            yield f"{source.path}:1: a header opens with what it is and why it exists"


def formatting(all_sources: list[Source]) -> Iterator[str]:
    files = [source.path for source in all_sources if source.is_cpp]
    for at in range(0, len(files), 25):
        result = subprocess.run(
            ["clang-format-16", "--dry-run", "--ferror-limit=1", *files[at:at + 25]],
            cwd=REPO, capture_output=True, text=True)
        for line in result.stderr.splitlines():
            if match := re.match(r"(.+?):(\d+):\d+: (?:warning|error): ", line):
                yield f"{match[1]}:{match[2]}: not formatted (./dev fmt)"


def untested_operations(all_sources: list[Source]) -> Iterator[str]:
    """Rows of operation tables that no test of the real binary names, as a client would: in
    boto3's form (create_queue), the aws CLI's (create-queue) or AWS's (CreateQueue)."""
    from botocore import xform_name

    tests = "".join(
        source.text for source in all_sources
        if source.path.startswith(("tests/compat/", "tests/scenarios/", "tests/crash/")))
    words = set(re.findall(r"\w[\w-]*", tests))
    for row in operation_rows.rows():
        snake = xform_name(row.operation)
        if not words & {snake, snake.replace("_", "-"), row.operation}:
            yield f"{row.path}:{row.line}: no compat test names {row.operation} ({snake})"


def coverage_page(_: list[Source]) -> Iterator[str]:
    page = operation_rows.PAGE
    if not page.exists() or page.read_text() != operation_rows.page():
        yield "docs/coverage.md:1: not what the operation tables say (./dev fmt writes it)"


def without_comments(text: str) -> str:
    """The text with comments and literals blanked, line structure kept."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"([^()\\\s]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def raw_string_lines(text: str) -> set[int]:
    lines: set[int] = set()
    for match in re.finditer(r'R"([^()\\\s]{0,16})\(.*?\)\1"', text, re.S):
        first = text.count("\n", 0, match.start()) + 1
        lines.update(range(first, first + match[0].count("\n") + 1))
    return lines


def long_functions(all_sources: list[Source]) -> Iterator[str]:
    """Bodies of more than a screen, by their braces. Tests are exempt."""
    control = re.compile(r"\b(if|for|while|switch|catch|else|do|try)\b[^;]*$")
    scope = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")
    for source in all_sources:
        if not source.is_cpp or source.path.endswith("_test.cpp"):
            continue
        code = without_comments(source.text)
        start, stack = 0, []
        for at, character in enumerate(code):
            if character in ";}":
                start = at + 1
            if character == "{":
                head = code[start:at]
                body = ")" in head and not control.search(head) and not scope.search(head)
                stack.append((body, code.count("\n", 0, at)))
                start = at + 1
            elif character == "}" and stack:
                body, first = stack.pop()
                length = code.count("\n", 0, at) - first
                if body and length > FUNCTION_LINES_MAX and not any(b for b, _ in stack):
                    yield f"{source.path}:{first + 1}: {length} lines, not {FUNCTION_LINES_MAX}"


def clang_tidy(base: str | None) -> Iterator[str]:
    if base is None:
        known = subprocess.run(["git", "rev-parse", "-q", "--verify", "origin/main"], cwd=REPO,
                               capture_output=True).returncode == 0
        base = "origin/main" if known else "HEAD~1"
    changed = subprocess.run(["git", "diff", "--name-only", "--diff-filter=d", base, "--", "src"],
                             cwd=REPO, check=True, capture_output=True, text=True).stdout.split()
    for path in changed:
        if path.endswith(".cpp"):
            result = subprocess.run(
                ["clang-tidy-16", "--quiet", "-p", "build/dev", "--warnings-as-errors=*", path],
                cwd=REPO, capture_output=True, text=True)
            for line in result.stdout.splitlines():
                if re.match(r".+:\d+:\d+: (warning|error)", line):
                    yield line.removeprefix(f"{REPO}/")


CHECKS: list[tuple[str, Callable[[list[Source]], Iterator[str]]]] = [
    ("layers: each folder includes only what lies below it", layers),
    ("libraries: RocksDB, DuckDB, Asio and Beast stay in their folders", libraries),
    ("forms: nothing that is known to break", forbidden_forms),
    ("licence: every source names it", licence_lines),
    ("lines: at most 100 columns", line_length),
    ("names: files are snake_case and say what they hold", file_names),
    ("headers: guarded, and open with what they are", header_comments),
    ("operations: a test of the real binary names every row", untested_operations),
    ("coverage: docs/coverage.md is what the operation tables say", coverage_page),
    ("format: clang-format has nothing to change", formatting),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clang-tidy", action="store_true")
    parser.add_argument("--base")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()

    checks = list(CHECKS)
    if args.clang_tidy:
        checks.append(("clang-tidy: changed files", lambda _: clang_tidy(args.base)))
    all_sources = sources()
    results = []
    for name, check in checks:
        findings = list(check(all_sources))
        results.append({"name": name, "findings": findings})
        print(f"{'FAIL' if findings else ' ok '}  {name}")
        for finding in findings:
            print(f"      {finding}")
    warnings = list(long_functions(all_sources))
    if warnings:
        print("long functions (not refused):")
        for warning in warnings:
            print(f"      {warning}")
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))
    sys.exit(1 if any(result["findings"] for result in results) else 0)


if __name__ == "__main__":
    main()
