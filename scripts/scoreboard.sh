#!/bin/sh
# Writes hw/EXACTNESS.md: how many recorded RTL streams are equal under each scheduler, what "exact" covers, and the last results of the
# mutation gate and of the soak test.
#   scripts/scoreboard.sh [--check]     --check: writes nothing; exit code 1 when the page would change
#   scripts/scoreboard.sh --texts       replays nothing: keeps the table of streams and writes everything else anew
# Replays everything below build/golden/rtl (BUILD=directory for another build) three times, about a minute of CPU time.
set -eu
cd "$(dirname "$0")/.."
check=no
case "${1:-}" in
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
  --check) check=yes ;;
  --texts) check=texts ;;
  "") ;;
  *) echo "scoreboard: unknown argument '$1' (known: --check, --texts)" >&2; exit 2 ;;
esac
build=${BUILD:-build}
[ -x "$build/systole" ] && [ -d "$build/golden/rtl" ] || { echo "scoreboard: no $build/systole; run scripts/build.sh" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for scheduler in fast native every-cycle; do
  [ "$check" != texts ] || break
  echo "scoreboard: $scheduler" >&2
  "$build/systole" replay "$build/golden/rtl" --scheduler "$scheduler" --jobs "${JOBS:-2}" >"$work/$scheduler" || [ $? -eq 1 ]
done

# category streams equal cycles, one line each; "all" last.
rows() { awk '$2 ~ /^[0-9]+$/ { print $1, $2, $3, $6 }' "$work/$1"; }
if [ "$check" = texts ]; then
  sed -n '/^## Recorded streams/,/^## /p' hw/EXACTNESS.md | grep '^|' | sed 1,2d >"$work/table"
else
  rows fast >"$work/a"
  rows native >"$work/b"
  rows every-cycle >"$work/c"
fi

page=$work/page
{
  cat tests/golden/exactness_head.md
  echo
  echo "## Recorded streams"
  echo
  echo "| category | content | streams | cycles | equal: fast | native | every cycle |"
  echo "|---|---|---|---|---|---|---|"
  if [ "$check" = texts ]; then cat "$work/table"; else paste -d' ' "$work/a" "$work/b" "$work/c" | while read -r category streams fast cycles _ _ native _ _ _ every _; do
    content=$(awk -F' [|] ' -v c="$category" '$1 == c { print $2 }' tests/golden/categories.txt)
    [ "$category" != all ] || category="**all**"
    echo "| $category | $content | $streams | $cycles | $fast | $native | $every |"
  done; fi
  echo
  echo "## What the RTL leaves open, and what Systole does there"
  echo
  echo "| situation | what the RTL does | what Systole does |"
  echo "|---|---|---|"
  grep -v '^#' tests/golden/exactness.txt | sed 's/^/| /; s/$/ |/'
  echo
  echo "## Faults that the tests find"
  echo
  echo "\`scripts/mutate.py\` changes one latency, depth, rule or account at a time and runs the quick streams, the recorded accounts"
  echo "and programs, and quick unit tests. *Cannot show* means that no program can tell the difference; the reason stands below."
  echo
  cat tests/mutation/RESULTS.md
  echo
  echo "## Random programs"
  echo
  echo "\`scripts/soak.sh --record\` runs random legal programs on the machine and on the functional oracle, which shares no code with it, and compares"
  echo "the memory they leave. Half of the programs run on machines with other latencies, widths, queues and ports."
  echo
  awk -F'|' '{ print } /^\| [0-9]/ { programs += $2; different += $4; refused += $5 } END { if (programs) print "| **" programs "** | all | **" different "** | " refused " | |" }' tests/golden/soak.md
} >"$page"

if [ "$check" = yes ]; then
  diff -u hw/EXACTNESS.md "$page" && echo "scoreboard: hw/EXACTNESS.md is up to date"
else
  cp "$page" hw/EXACTNESS.md.new
  mv hw/EXACTNESS.md.new hw/EXACTNESS.md
  grep '^| \*\*all' hw/EXACTNESS.md
fi
