# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
./dev bench [NAME...] [-- ARGS...]

Builds the release and runs the programs of tests/bench (all, or those named), each beside its
peers in the same run. ARGS go to every program.
TEXT
}

names=()
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --) shift; break ;;
    -*) usage >&2; exit 2 ;;
    *) names+=("$1") ;;
  esac
  shift
done

programs=()
if [ ${#names[@]} -gt 0 ]; then
  for name in "${names[@]}"; do
    [ -f "$TARN_REPO/tests/bench/$name.py" ] || die "there is no tests/bench/$name.py"
    programs+=("$TARN_REPO/tests/bench/$name.py")
  done
else
  for program in "$TARN_REPO"/tests/bench/bench_*.py; do
    [ ! -f "$program" ] || programs+=("$program")
  done
fi
[ ${#programs[@]} -gt 0 ] || die "there is nothing to run: no tests/bench/bench_*.py"

setup_quietly --bench
bash "$TARN_REPO/tools/dev/build.sh" --preset release tarn
export TARN_BIN="${TARN_BIN:-$TARN_REPO/build/release/bin/tarn}"
# The peers' own interpreter: `$TARN_BENCH_PYTHON -m moto.server` and the like.
export TARN_BENCH_PYTHON="$TARN_CACHE/venv/bench/bin/python"
export PYTHONPATH="$TARN_REPO/tests${PYTHONPATH:+:$PYTHONPATH}"
status=0
for program in "${programs[@]}"; do
  say "$(basename "$program")"
  "$TARN_TOOLS/python" "$program" "$@" || status=1
done
exit "$status"
