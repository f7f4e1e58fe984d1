# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
./dev test [--unit | --compat | --suite NAME...] [--filter TEXT] [--preset PRESET] [--no-build]

Sets up, builds, and runs everything: the house rules (tidy), the unit tests under
AddressSanitizer, and pytest against the release binary (codegen, compat, conformance, scenarios,
crash). The last line is `N passed, N failed, N skipped`.

  --unit           only the unit tests             --compat   only tests/compat
  --suite NAME     tidy, unit, codegen, compat, conformance, scenarios or crash; repeatable
  --filter TEXT    only cases whose name contains TEXT
  --preset PRESET  build of the unit tests: asan (default), tsan, dev or release
  --workers N      pytest processes (3)
  --no-build       run what is built already
TEXT
}

preset=asan build=1 workers=3
suites=() filter=()
while [ $# -gt 0 ]; do
  case "$1" in
    --unit | --compat) suites+=(--suite "${1#--}") ;;
    --suite) suites+=(--suite "${2:?--suite needs a name}"); shift ;;
    --filter) filter=(--filter "${2:?--filter needs a text}"); shift ;;
    --preset) preset="${2:?--preset needs a name}"; shift ;;
    --workers) workers="${2:?--workers needs a number}"; shift ;;
    --no-build) build=0 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

wants() {  # wants SUITE...: is one of them to be run?
  [ ${#suites[@]} -gt 0 ] || return 0
  local suite
  for suite in "$@"; do
    [[ " ${suites[*]} " != *" $suite "* ]] || return 0
  done
  return 1
}

setup_quietly
if [ "$build" = 1 ]; then
  if wants compat conformance scenarios crash; then
    bash "$TARN_REPO/tools/dev/build.sh" --preset release tarn
  fi
  if wants unit; then
    bash "$TARN_REPO/tools/dev/build.sh" --preset "$preset" unit_tests
  elif wants codegen; then
    bash "$TARN_REPO/tools/dev/build.sh" --preset "$preset" codec_driver
  fi
fi
say "running the tests"
status=0
"$TARN_TOOLS/python" "$TARN_REPO/tests/run" --build "$TARN_REPO/build/$preset" \
  --workers "$workers" ${suites[@]+"${suites[@]}"} ${filter[@]+"${filter[@]}"} || status=$?
exit "$status"
