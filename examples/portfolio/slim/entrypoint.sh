#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The slim container: fetches code and a virtual environment from S3, then runs a script.
#
#   CODE_ARCHIVE   s3:// URI of a tar.gz, tar.zst or tar; unpacked at /opt/code, the working directory
#   VENV_ARCHIVE   the same for a virtual environment; unpacked at /opt/venv, first in PATH
#   COMMAND        the script, run by `/bin/sh -ec`
#
# Either archive may be left out. The container ends with the script's exit code, or with 64 (wrong
# use), 66 (an object cannot be fetched) or 65 (an archive cannot be unpacked). The last line of the
# log then says why.
set -u

die() {
  code=$1
  shift
  echo "slim: $*" >&2
  exit "$code"
}

# fetch VARIABLE URI FOLDER: what is unpacked is complete or the container ends.
fetch() {
  case $2 in
    s3://*/*) ;;
    *) die 64 "$1 is '$2', not an s3:// URI of an object" ;;
  esac
  archive=$(mktemp "${TMPDIR:-/tmp}/archive.XXXXXX") || die 74 "no space for a temporary file"
  problem=$(aws s3 cp --only-show-errors "$2" "$archive" 2>&1) ||
    die 66 "$1: cannot fetch $2: $(echo "$problem" | tail -n 1)"
  mkdir -p "$3"
  # The archive's first bytes say how it is compressed; its name may be anything.
  case $(od -An -tx1 -N4 "$archive" | tr -d ' \n') in
    1f8b*) unpack="gzip -dc" ;;
    28b52ffd) unpack="zstd -dcq" ;;
    *) unpack="cat" ;;
  esac
  problem=$( { $unpack "$archive" || echo "not a whole archive" >&2; } 2>&1 >"$archive.tar" )
  [ -z "$problem" ] || die 65 "$1: cannot unpack $2: $(echo "$problem" | head -n 1)"
  problem=$(tar -xf "$archive.tar" -C "$3" --no-same-owner 2>&1) ||
    die 65 "$1: cannot unpack $2: $(echo "$problem" | head -n 1)"
  rm -f "$archive" "$archive.tar"
}

[ -n "${COMMAND:-}" ] || die 64 "COMMAND is not set: nothing to run"
mkdir -p /opt/code
[ -z "${CODE_ARCHIVE:-}" ] || fetch CODE_ARCHIVE "$CODE_ARCHIVE" /opt/code
if [ -n "${VENV_ARCHIVE:-}" ]; then
  fetch VENV_ARCHIVE "$VENV_ARCHIVE" /opt/venv
  VIRTUAL_ENV=/opt/venv
  PATH=/opt/venv/bin:$PATH
  export VIRTUAL_ENV PATH
fi

cd /opt/code || die 74 "/opt/code cannot be entered"
/bin/sh -ec "$COMMAND"
code=$?
[ "$code" -eq 0 ] || die "$code" "COMMAND ended with exit code $code"
