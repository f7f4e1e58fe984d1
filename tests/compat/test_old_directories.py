# SPDX-License-Identifier: Apache-2.0
"""Data directories that earlier Tarns wrote, each as a kill left it, open and go on."""

from __future__ import annotations

import pathlib
import tarfile

import pytest

from support import old_directory

FOLDER = pathlib.Path(__file__).with_name("directories")


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.tar.gz")), ids=lambda file: file.name)
def test_an_old_directory_opens_with_everything_in_it(file, tmp_path, start_tarn):
    with tarfile.open(file) as packed:
        packed.extractall(tmp_path)
    tarn = start_tarn(tmp_path / "data")
    since = int(file.name.removeprefix("format-").split(".")[0])
    old_directory.check(tarn, aged=True, since=since)
    tarn.restart()


def test_what_is_filled_now_is_what_is_checked(fresh_tarn):
    old_directory.fill(fresh_tarn)
    fresh_tarn.restart(kill=True)
    old_directory.check(fresh_tarn, aged=False)


def test_a_directory_of_a_newer_tarn_is_refused(tmp_path, start_tarn):
    tarn = start_tarn(tmp_path / "data")
    tarn.stop()
    [format_file] = (tmp_path / "data").rglob("FORMAT")
    kept = format_file.read_text()
    format_file.write_text("99 tarn store\n")
    with pytest.raises(AssertionError, match="use the newer tarn"):
        tarn.start()
    format_file.write_text(kept)
    tarn.start()
