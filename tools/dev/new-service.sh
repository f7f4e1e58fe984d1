# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
./dev new-service NAME OPERATION NOUN

Starts src/services/NAME in the shape of the other services, with one operation and the domain type
NOUN that it is about, for example
  ./dev new-service kinesis CreateStream stream

NAME is botocore's name of the service (dashes become underscores in the folder). The operation
answers NotImplemented until its handler is written, and its compat test fails until then.
TEXT
}

case " $* " in *" -h "* | *" --help "*) usage; exit 0 ;; esac
[ $# = 3 ] || { usage >&2; exit 2; }
setup_quietly
exec "$TARN_TOOLS/python" "$TARN_REPO/tools/dev/new_service.py" "$@"
