# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What every command of ./dev shares: paths, messages with times, the cache. Sourced, never run.
set -euo pipefail

: "${TARN_REPO:?run this through ./dev}"
export TARN_CACHE="${TARN_CACHE:-$HOME/.cache/tarn}"
TARN_TOOLS="$TARN_CACHE/venv/tools/bin"

# A lock file that named a registry would be of use to one machine only.
export npm_config_omit_lockfile_registry_resolved=true
export PIP_DISABLE_PIP_VERSION_CHECK=1

tarn_started=$EPOCHREALTIME

elapsed() {  # seconds since the command began, with a tenth
  local now=$EPOCHREALTIME
  local tenths=$(((${now//[.,]/} - ${tarn_started//[.,]/}) / 100000))
  printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}

say() { printf '[%6ss] %s\n' "$(elapsed)" "$*"; }

die() {
  printf './dev: %s\n' "$*" >&2
  exit 1
}

as_root() {  # runs a command as root; the caller has said why
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "this needs root and there is no sudo: $*"
  fi
}

jobs_count() { echo "${TARN_JOBS:-$(nproc)}"; }

setup_quietly() { bash "$TARN_REPO/tools/dev/setup.sh" --if-needed "$@"; }
