# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
./dev tidy [--clang-tidy [--base REF]] [--json FILE]

Checks the house rules on every source: who includes whom, which library only one folder may use,
licence lines, line length, forbidden forms, formatting. Long functions are reported, not refused.
  --clang-tidy   also run clang-tidy 16 on the files changed since REF (default: origin/main or
                 HEAD~1), with build/dev's compile commands
  --json FILE    write the results there as well
TEXT
}

case " $* " in *" -h "* | *" --help "*) usage; exit 0 ;; esac
setup_quietly
exec "$TARN_TOOLS/python" "$TARN_REPO/tools/dev/tidy.py" "$@"
