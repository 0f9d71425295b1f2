#!/bin/sh
# Configures and builds.
#   scripts/build.sh [preset] [cmake options...]
# preset: release (default, into build/), debug, native, asan, ubsan, clang, coverage (into build-PRESET/); see CMakePresets.json.
# The program is build/systole or build-PRESET/systole. JOBS=n limits the parallel compilations.
set -eu
cd "$(dirname "$0")/.."

preset=release
case "${1:-}" in
  -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
  -* | "") ;;
  *) preset=$1; shift ;;
esac
case "$preset" in
  release) directory=build ;;
  debug | native | asan | ubsan | clang | coverage) directory=build-$preset ;;
  *) echo "build.sh: unknown preset '$preset' (known: release, debug, native, asan, ubsan, clang, coverage)" >&2; exit 2 ;;
esac

launcher=""
command -v ccache >/dev/null && launcher="-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"
echo "build: preset $preset into $directory/"
log=$(mktemp)
if ! cmake --preset "$preset" $launcher "$@" >"$log" 2>&1; then
  cat "$log" >&2
  rm -f "$log"
  exit 1
fi
rm -f "$log"
cmake --build --preset "$preset" --parallel "${JOBS:-$(nproc)}"
echo "build: $directory/systole is ready"
