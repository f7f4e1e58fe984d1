#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generates the wire code. Only the standard library is used.

  generate.py service --data DIR --service sqs --out build/gen --from src/services/sqs
      Structures, errors, enums and tables of the operations that the folder's `.op<Name>` rows
      declare (--operation NAME adds some). Writes `<include>/<folder>/…` and, with --manifest, a
      CMake list of the files. Files are rewritten only when they change.
  generate.py catalogue --data DIR --out build/gen
      Every operation of every service in a compact form, for routing (src/aws/router.hpp).
"""
import argparse
import os
import re
import sys

from tarn_codegen import catalogue, headers, model, names, output, structs, tables

# `.op<CreateQueue>(…)`, `table.op<sqs::CreateQueue>(…)`
_ROW = re.compile(r"\.\s*op\s*<\s*(?:[A-Za-z_]\w*\s*::\s*)*([A-Za-z_]\w*)\s*>")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)


def declared_operations(folder):
    found = set()
    for root, _, files in os.walk(folder):
        for name in sorted(files):
            if name.endswith(".cpp") and not name.endswith(("_test.cpp", "_fuzz.cpp")):
                with open(os.path.join(root, name), encoding="utf-8") as file:
                    found.update(_ROW.findall(_COMMENT.sub("", file.read())))
    return found


def generate_service(args):
    loaded = model.load(args.data, args.service)
    wanted = set(args.operation)
    for folder in args.source:
        wanted |= declared_operations(folder)
    if args.all:
        wanted |= set(loaded.operations)
    for op in wanted:
        loaded.operation(op)  # a clear error before anything is written
    out = output.Output(args.out)
    needed = structs.Structs(loaded, wanted)
    written = headers.Headers(needed, out, args.include, args.namespace)
    written.write()
    tables.Tables(needed, written, out).write(args.registry)
    out.remove_others(f"{args.include}/{names.folder_of(args.service)}")
    if args.manifest:
        lines = "".join(f'  "{path}"\n' for path in sorted(out.written))
        output.Output("/").write(os.path.abspath(args.manifest).lstrip("/"),
                                 f"set(TARN_GENERATED_FILES\n{lines})\n")


def generate_catalogue(args):
    out = output.Output(args.out)
    catalogue.write(args.data, out)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    service = commands.add_parser("service")
    service.add_argument("--service", required=True, help="botocore's name")
    service.add_argument("--from", dest="source", action="append", default=[],
                         help="a folder whose .op<Name> rows declare operations")
    service.add_argument("--operation", action="append", default=[])
    service.add_argument("--all", action="store_true", help="every operation of the model")
    service.add_argument("--include", default="aws", help="first folder of the include path")
    service.add_argument("--namespace", default="tarn")
    service.add_argument("--manifest")
    service.add_argument("--registry", action="store_true", help="for the codec's tests")
    service.set_defaults(run=generate_service)
    everything = commands.add_parser("catalogue")
    everything.set_defaults(run=generate_catalogue)
    for command in (service, everything):
        command.add_argument("--data", required=True, help="botocore's data folder")
        command.add_argument("--out", required=True)
    args = parser.parse_args()
    try:
        args.run(args)
    except model.ModelError as error:
        sys.exit(f"codegen: {error}")


if __name__ == "__main__":
    main()
