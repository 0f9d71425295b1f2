#!/bin/sh
# Random legal programs on the cycle-accurate machine and on the functional oracle; both must leave the same memory.
#   scripts/soak.sh [--record] [PROGRAMS [FIRST_SEED]]        default: 10000 programs from seed 1
# Programs differ in machine (arrays 4..64, capacities, both revisions, with and without normaliser; half of them with other latencies, widths,
# queues and ports), memory latency and content; a seed always gives the same program. JOBS=n processes at a time (default 2), BUILD=directory
# (default build). A program that differs is made small and kept as BUILD/soak/*.trace, its seed is printed. The last line is a summary; exit code 1
# when a program differs. --record adds the run to tests/golden/soak.md, also when it is interrupted: then what has been done counts.
set -eu
cd "$(dirname "$0")/.."
record=no
case "${1:-}" in
  -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
  --record) record=yes; shift ;;
esac
programs=${1:-10000}
first=${2:-1}
build=${BUILD:-build}
tool=$build/tests/tools/machine_fuzz
[ -x "$tool" ] || { echo "soak: $tool is missing; run scripts/build.sh" >&2; exit 2; }
mkdir -p "$build/soak"

chunk=2000
done=0
different=0
refused=0
started=$(date +%s)
version=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
finish() {
  trap - INT TERM
  echo "soak: $done programs from seed $first: $different different, $refused end as the RTL does, with an assertion"
  if [ "$record" = yes ] && [ "$done" -gt 0 ]; then
    page=tests/golden/soak.md
    grep -q '^| programs' "$page" || printf '%s\n' '| programs | seeds | different | end as the RTL does, with an assertion | sources |' '|---|---|---|---|---|' >"$page"
    echo "| $done | $first..$((first + done - 1)) | $different | $refused | $version |" >>"$page"
  fi
  [ "$different" -eq 0 ]
  exit
}
trap finish INT TERM
while [ "$done" -lt "$programs" ]; do
  count=$((programs - done))
  [ "$count" -le "$chunk" ] || count=$chunk
  log=$build/soak/log
  if ! "$tool" $((first + done)) "$count" --jobs "${JOBS:-2}" --shrink "$build/soak" >"$log"; then
    [ -s "$log" ] || { echo "soak: $tool failed" >&2; exit 2; }
    grep '^seed' "$log" || true
    different=$((different + $(grep -c '^seed [0-9]*: ' "$log") - $(grep -c 'items, then' "$log")))
  fi
  refused=$((refused + $(sed -n 's/.* equal, \([0-9]*\) end as .*/\1/p' "$log" | tail -1 | grep . || echo 0)))
  done=$((done + count))
  seconds=$(($(date +%s) - started + 1))
  echo "soak: $done of $programs programs, $different different, $((done / seconds)) a second, $(((programs - done) * seconds / done)) s left" >&2
done
finish
