# SPDX-License-Identifier: Apache-2.0
"""Fetches DuckDB's C++ headers and extensions into a folder, through pip's own machinery.

    python fetch_duckdb.py VERSION DESTINATION

The headers are in the source distribution of the Python package `duckdb`. `pip download
--no-binary` would start to build it, so the archive is found and fetched with pip's finder and
session (which honour the user's pip configuration) and only its headers are unpacked. The
extensions are wheels; the extension files in them are unpacked beside the headers.
"""

import argparse
import gzip
import io
import pathlib
import shutil
import sys
import tarfile
import zipfile

from pip._internal.commands.download import DownloadCommand
from pip._vendor.packaging.specifiers import SpecifierSet

HEADERS = "/external/duckdb/src/include/"
# Built into the library and so not here: icu, json, parquet, core_functions.
EXTENSIONS = ["excel"]


def fetch(package: str, version: str, options: list[str]) -> bytes | None:
    """The archive of that version, or None where the registry has none of the wanted form."""
    command = DownloadCommand("download", "fetch one archive")
    parsed, _ = command.parse_args(["--no-deps", "--quiet", *options, package])
    with command.main_context():
        session = command.get_default_session(parsed)
        finder = command._build_package_finder(options=parsed, session=session)
        found = finder.find_best_candidate(package, SpecifierSet(f"=={version}")).best_candidate
        if found is None:
            return None
        if found.link.is_file:
            return pathlib.Path(found.link.file_path).read_bytes()
        response = session.get(found.link.url_without_fragment)
        response.raise_for_status()
        return response.content


def unpack_headers(archive: bytes, into: pathlib.Path) -> int:
    count = 0
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            at = member.name.find(HEADERS)
            if at < 0 or not member.isfile():
                continue
            target = into / member.name[at + len(HEADERS):]
            if into.resolve() not in target.resolve().parents:
                sys.exit(f"fetch_duckdb: the archive names a path outside of itself: {member.name}")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(tar.extractfile(member).read())
            count += 1
    return count


def unpack_extension(wheel: bytes, into: pathlib.Path) -> bool:
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        for name in archive.namelist():
            base = name.rsplit("/", 1)[-1]
            if base.endswith(".duckdb_extension.gz"):
                (into / base[:-3]).write_bytes(gzip.decompress(archive.read(name)))
                return True
            if base.endswith(".duckdb_extension"):
                (into / base).write_bytes(archive.read(name))
                return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version")
    parser.add_argument("destination", type=pathlib.Path)
    args = parser.parse_args()

    headers = args.destination / "include"
    shutil.rmtree(headers, ignore_errors=True)
    source = fetch("duckdb", args.version, ["--no-binary", ":all:"])
    if source is None:
        sys.exit(f"fetch_duckdb: no source distribution of duckdb {args.version} was found")
    print(f"  {unpack_headers(source, headers)} headers")
    if not (headers / "duckdb.hpp").exists():
        sys.exit("fetch_duckdb: duckdb.hpp is not in the source distribution")

    extensions = args.destination / "extensions"
    extensions.mkdir(parents=True, exist_ok=True)
    have, missing = [], []
    for name in EXTENSIONS:
        wheel = fetch("duckdb-extension-" + name.replace("_", "-"), args.version,
                      ["--only-binary", ":all:"])
        done = wheel is not None and unpack_extension(wheel, extensions)
        (have if done else missing).append(name)
    print(f"  extensions: {', '.join(have)}")
    if missing:
        sys.exit(f"fetch_duckdb: no wheel of version {args.version} for: {', '.join(missing)}")


if __name__ == "__main__":
    main()
