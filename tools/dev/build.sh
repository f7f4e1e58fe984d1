# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
./dev build [--preset release|dev|asan|tsan] [-j N] [TARGETS...]

Configures build/PRESET where needed and builds the targets (all, without any). Executables are in
build/PRESET/bin; build/release/bin/tarn and what lies beside it can be copied anywhere.
Useful targets: tarn, unit_tests, tarn_<library>, <library>_test, svc_<service>_test.
TEXT
}

preset=release
targets=()
jobs="$(jobs_count)"
while [ $# -gt 0 ]; do
  case "$1" in
    --preset) preset="${2:?--preset needs a name}"; shift ;;
    --preset=*) preset="${1#*=}" ;;
    -j) jobs="${2:?-j needs a number}"; shift ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *) targets+=("$1") ;;
  esac
  shift
done
case "$preset" in
  release | dev | asan | tsan) ;;
  *) die "no preset '$preset': release, dev, asan or tsan" ;;
esac

setup_quietly
cd "$TARN_REPO"
build="build/$preset"
if [ ! -f "$build/build.ninja" ]; then
  say "configuring $build"
  mkdir -p build
  cmake --preset "$preset" >"build/$preset.configure.log" 2>&1 || {
    tail -n 30 "build/$preset.configure.log" >&2
    die "cmake failed; the whole log is build/$preset.configure.log"
  }
fi
say "building $build${targets[*]:+: ${targets[*]}}"
NINJA_STATUS='[%f/%t %es] ' ninja -C "$build" -j "$jobs" ${targets[@]+"${targets[@]}"}
say "built $build"
