# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
./dev fmt [--check] [FILES...]

Formats the C++ sources with clang-format 16 and the repository's .clang-format (all, or FILES);
without FILES it also writes docs/coverage.md from the operation tables.
  --check   change nothing; list what is not formatted and fail
TEXT
}

check=0
files=()
for argument in "$@"; do
  case "$argument" in
    --check) check=1 ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *) files+=("$(realpath "$argument")") ;;
  esac
done
command -v clang-format-16 >/dev/null || setup_quietly
cd "$TARN_REPO"
if [ ${#files[@]} = 0 ]; then
  if [ "$check" = 0 ]; then
    setup_quietly
    "$TARN_TOOLS/python" tools/dev/operation_rows.py write
  fi
  mapfile -t files < <(git ls-files --cached --others --exclude-standard -- \
    'src/*.cpp' 'src/*.hpp' 'tests/*.cpp' 'tests/*.hpp')
fi
[ ${#files[@]} -gt 0 ] || exit 0
if [ "$check" = 1 ]; then
  printf '%s\0' "${files[@]}" | xargs -0 -n 20 -P "$(nproc)" clang-format-16 --dry-run -Werror
else
  printf '%s\0' "${files[@]}" | xargs -0 -n 20 -P "$(nproc)" clang-format-16 -i
fi
