# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
./dev demo [--keep]

On a fresh machine: installs what is missing, builds, starts Tarn on free ports with a fresh data
directory, deploys examples/portfolio with the aws CLI, runs it, and prints the resulting tables
and how to go on. It leaves nothing running.
  --keep   leave Tarn running, and print how to use and how to stop it
TEXT
}

case " $* " in *" -h "* | *" --help "*) usage; exit 0 ;; esac
demo="$TARN_REPO/examples/portfolio/demo.py"
[ -f "$demo" ] || die "examples/portfolio/demo.py is not there"

setup_quietly
bash "$TARN_REPO/tools/dev/build.sh" --preset release tarn
say "starting the demo"
export TARN_BIN="${TARN_BIN:-$TARN_REPO/build/release/bin/tarn}"
# The aws CLI and boto3 of the pinned tools come first.
PATH="$TARN_TOOLS:$TARN_REPO/build/release/bin:$PATH" exec "$TARN_TOOLS/python" "$demo" "$@"
