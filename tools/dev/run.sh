# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
./dev run [--preset PRESET] [--] ARGS...

Builds tarn (release, unless told otherwise) and runs it with ARGS, for example
  ./dev run up --data /tmp/tarn
  ./dev run --preset dev ops
TEXT
}

preset=release
case "${1:-}" in
  --preset) preset="${2:?--preset needs a name}"; shift 2 ;;
  -h | --help | "") usage; exit 0 ;;
esac
[ "${1:-}" != -- ] || shift
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
bash "$TARN_REPO/tools/dev/build.sh" --preset "$preset" tarn >"$log" 2>&1 || {
  cat "$log" >&2
  exit 1
}
rm -f "$log"
exec "$TARN_REPO/build/$preset/bin/tarn" "$@"
