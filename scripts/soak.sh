#!/bin/sh
# Random legal programs on the cycle-accurate machine and on the functional oracle; both must leave the same memory.
#   scripts/soak.sh [PROGRAMS [FIRST_SEED]]        default: 10000 programs from seed 1
# Programs differ in machine (arrays 4..32, capacities, both revisions, with and without normaliser), memory latency and content; a seed
# always gives the same program. JOBS=n processes at a time (default 2), BUILD=directory (default build). A program that differs is made
# small and kept as build/soak/*.trace, its seed is printed. The last line is a summary; exit code 1 when a program differs.
set -eu
cd "$(dirname "$0")/.."
case "${1:-}" in -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
programs=${1:-10000}
first=${2:-1}
build=${BUILD:-build}
tool=$build/tests/tools/machine_fuzz
[ -x "$tool" ] || { echo "soak: $tool is missing; run scripts/build.sh" >&2; exit 2; }
mkdir -p "$build/soak"

chunk=5000
done=0
different=0
started=$(date +%s)
while [ "$done" -lt "$programs" ]; do
  count=$((programs - done))
  [ "$count" -le "$chunk" ] || count=$chunk
  log=$build/soak/log
  if ! "$tool" $((first + done)) "$count" --jobs "${JOBS:-2}" --shrink "$build/soak" >"$log"; then
    [ -s "$log" ] || { echo "soak: $tool failed" >&2; exit 2; }
    grep '^seed' "$log" || true
    different=$((different + $(grep -c '^seed [0-9]*: ' "$log") - $(grep -c 'items, then' "$log")))
  fi
  done=$((done + count))
  seconds=$(($(date +%s) - started + 1))
  echo "soak: $done of $programs programs, $different different, $((done / seconds)) a second, $(((programs - done) * seconds / done)) s left" >&2
done
echo "soak: $programs programs from seed $first: $different different"
[ "$different" -eq 0 ]
