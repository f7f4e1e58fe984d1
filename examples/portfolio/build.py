# SPDX-License-Identifier: Apache-2.0
"""Builds what template.yaml deploys, into dist/ beside this file (or --out FOLDER):

    lambda.zip          both Lambda functions: code/, sql/ and openpyxl
    code.tar.gz         code/ and sql/, for the slim container
    venv.tar.zst        the virtual environment of requirements.txt (venv.tar.gz without zstd)
    workflow.asl.json   the state machine
    stocks.csv          monthly share prices, from the data files of the package vega_datasets
    positions.xlsx, positions-bad.xlsx

Needs Python 3.9 or later with pip. What is slow is cached by the digest of its inputs, in
$TARN_CACHE (~/.cache/tarn). Archives are reproducible: the same inputs give the same bytes, so
that a deployment without a change changes nothing.
"""

import argparse
import gzip
import hashlib
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("TARN_CACHE", pathlib.Path.home() / ".cache/tarn"))
PYTHON = "3.11"
LAMBDA_REQUIREMENTS = ["openpyxl==3.1.5", "et_xmlfile==2.0.0"]
PRICES = "vega_datasets==0.9.0"
PLATFORMS = ["manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"]
# Parts of wheels that no task of this platform uses: for compilers, test runners, Arrow Flight.
UNWANTED = ("pyarrow/include*", "pyarrow/tests", "pyarrow/src", "pyarrow/*flight*")
VERSION = "3"  # of the layout below: part of the cache's names


def pip(*arguments):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(f"build: pip {arguments[0]} failed:\n{result.stderr.strip()}")


def install(target, *what):
    platforms = [f"--platform={platform}" for platform in PLATFORMS]
    pip(
        *("install", "--target", str(target), "--no-compile", "--only-binary=:all:"),
        *("--implementation=cp", f"--python-version={PYTHON}", *platforms, *what),
    )
    shutil.rmtree(target / "bin", ignore_errors=True)  # their first lines name this interpreter
    for path in [path for pattern in UNWANTED for path in target.glob(pattern)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    compile_all(target)


def compile_all(folder):
    """Byte code that does not ask for the sources' times, since archives carry none."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" != PYTHON:
        return  # the container's Python then compiles at each import
    flags = ["-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder)]
    subprocess.run([sys.executable, "-m", "compileall", *flags, str(folder)], check=False)


def cached(name, build):
    """The file or folder `name` in the cache, made by build(path) where it is not there yet."""
    path = CACHE / "examples" / "portfolio" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            made = pathlib.Path(scratch) / "made"
            build(made)
            os.replace(made, path)
    return path


def digest(*parts):
    return hashlib.sha256("\0".join([VERSION, *parts]).encode()).hexdigest()[:16]


def tar(folder, sink):
    """A tar of the folder's content: sorted, without times and owners."""

    def plain(entry):
        entry.mtime = entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mode |= 0o444 if entry.isfile() else 0o555
        return entry

    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, str(path.relative_to(folder)), recursive=False, filter=plain)


def make_venv(archive):
    with tempfile.TemporaryDirectory() as scratch:
        venv = pathlib.Path(scratch) / "venv"
        (venv / "bin").mkdir(parents=True)
        for name in ("python", "python3", f"python{PYTHON}"):
            (venv / "bin" / name).symlink_to(f"/usr/bin/python{PYTHON}")
        (venv / "lib64").symlink_to("lib")
        settings = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11\n"
        (venv / "pyvenv.cfg").write_text(settings)
        packages = venv / "lib" / f"python{PYTHON}" / "site-packages"
        packages.mkdir(parents=True)
        install(packages, "--requirement", str(HERE / "requirements.txt"))
        with open(archive, "wb") as sink:
            if shutil.which("zstd"):
                command = ["zstd", "-q", "-3", "-T0", "-"]
                packer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=sink)
                tar(venv, packer.stdin)
                packer.stdin.close()
                if packer.wait():
                    raise SystemExit("build: zstd failed")
            else:
                with gzip.GzipFile(fileobj=sink, mode="wb", mtime=0, filename="") as packed:
                    tar(venv, packed)


def venv_archive():
    kind = "zst" if shutil.which("zstd") else "gz"
    name = f"venv-{digest((HERE / 'requirements.txt').read_text())}.tar.{kind}"
    return cached(name, make_venv)


def lambda_packages():
    def make(folder):
        folder.mkdir()
        install(folder, "--no-deps", *LAMBDA_REQUIREMENTS)

    return cached(f"lambda-{digest(*LAMBDA_REQUIREMENTS)}", make)


def prices():
    def make(path):
        with tempfile.TemporaryDirectory() as scratch:
            pip("download", "--no-deps", "--only-binary=:all:", "--dest", scratch, PRICES)
            (wheel,) = pathlib.Path(scratch).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                path.write_bytes(archive.read("vega_datasets/_data/stocks.csv"))

    return cached(f"stocks-{digest(PRICES)}.csv", make)


def stage(folder):
    """code/ and sql/ as they stand side by side in the archives."""
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(HERE / "code", folder, ignore=ignore)
    shutil.copytree(HERE / "sql", folder / "sql")
    compile_all(folder)
    return folder


def write_zip(path, *folders):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in folders:
            for file in sorted(p for p in folder.rglob("*") if p.is_file()):
                entry = zipfile.ZipInfo(str(file.relative_to(folder)), (1980, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, file.read_bytes())


def replace(path, data):
    """Writes a file in one step, so that a build beside this one never sees half of it."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as sink:
        sink.write(data)
    os.chmod(sink.name, 0o644)
    os.replace(sink.name, path)


def build(out):
    out.mkdir(parents=True, exist_ok=True)
    packages = lambda_packages()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        source = stage(scratch / "source")
        write_zip(scratch / "lambda.zip", packages, source)
        replace(out / "lambda.zip", (scratch / "lambda.zip").read_bytes())
        packed = io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as sink:
            tar(source, sink)
        replace(out / "code.tar.gz", packed.getvalue())
        venv = venv_archive()
        suffix = "".join(venv.suffixes[-2:])
        replace(out / f"venv{suffix}", venv.read_bytes())
        replace(out / "workflow.asl.json", (HERE / "workflow.asl.json").read_bytes())
        replace(out / "stocks.csv", prices().read_bytes())
        sys.path.insert(0, str(packages))
        import make_workbook

        make_workbook.main(scratch)
        for name in ("positions.xlsx", "positions-bad.xlsx"):
            replace(out / name, (scratch / name).read_bytes())
    return out


def artefacts(out):
    """{template parameter: (file, key in the code bucket)}; the keys follow the content."""
    venv = next(p for p in (out / "venv.tar.zst", out / "venv.tar.gz") if p.exists())
    files = {
        "CodeKey": (out / "code.tar.gz", "code", ".tar.gz"),
        "VenvKey": (venv, "venv", "".join(venv.suffixes[-2:])),
        "LambdaKey": (out / "lambda.zip", "lambda", ".zip"),
        "WorkflowKey": (out / "workflow.asl.json", "workflow", ".asl.json"),
    }
    result = {}
    for parameter, (file, folder, suffix) in files.items():
        name = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        result[parameter] = (file, f"{folder}/{name}{suffix}")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "dist")
    out = build(parser.parse_args().out)
    for parameter, (file, key) in artefacts(out).items():
        print(f"{parameter}={key}\t{file}")


if __name__ == "__main__":
    main()
