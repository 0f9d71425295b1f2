#!/bin/sh
# Writes the generated parts of the documentation: the page of parameters, the page of changed parameters (recorded RTL beside Systole),
# the first result in the README and its picture, and the output of every command in workloads/MODELS.md.
#   scripts/pages.sh           write them
#   scripts/pages.sh --check   only say whether they are up to date (exit code 1: they are not)
set -eu
cd "$(dirname "$0")/.."
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

build/systole show machine --markdown >"$directory/PARAMETERS.md"

# The last line of the result says how long the simulation took, which differs from run to run.
build/systole run bert-base --seq 128 --layers 1 >"$directory/run"
sed '/^simulated in/d' "$directory/run" >"$directory/result"
awk -v result="$directory/result" '
  /^<!-- result -->/ { print; print "```"; while ((getline line <result) > 0) print line; print "```"; skipping = 1; next }
  /^<!-- end of result -->/ { skipping = 0 }
  !skipping { print }' README.md >"$directory/README.md"

build/systole run bert-base --seq 128 --layers 1 --timing-only --quiet --timeline "$directory/first_result.svg"

# Runs every "<!-- run: COMMAND -->" of a page, in a directory of its own, and puts command and output behind it.
mkdir "$directory/walk" "$directory/bin"
ln -s "$PWD/build/systole" "$PWD/scripts/make_checkpoint.py" "$PWD/scripts/plant_bit.py" "$directory/bin"
cp workloads/examples/*.yaml tests/data/numerics/units.safetensors "$directory/walk"
run_page() {
  skipping=no
  while IFS= read -r line; do
    case "$line" in
      '<!-- run: '*)
        command=${line#<!-- run: }
        command=${command% -->}
        printf '%s\n```\n$ %s\n' "$line" "$command"
        (cd "$directory/walk" && PATH="$directory/bin:$PATH" sh -c "$command" 2>&1 </dev/null) | sed '/^simulated in/d; /^skip-ahead: /d'
        printf '```\n'
        skipping=yes
        ;;
      '<!-- end of run -->') skipping=no && printf '%s\n' "$line" ;;
      *) [ "$skipping" = yes ] || printf '%s\n' "$line" ;;
    esac
  done
}
run_page <workloads/MODELS.md >"$directory/MODELS.md"

if [ "${1:-}" = --check ]; then
  status=0
  diff -u hw/params/PARAMETERS.md "$directory/PARAMETERS.md" || status=1
  diff -u README.md "$directory/README.md" || status=1
  cmp sim/report/first_result.svg "$directory/first_result.svg" || status=1
  diff -u workloads/MODELS.md "$directory/MODELS.md" || status=1
  scripts/changed_parameters.py --check || status=1
  scripts/memory_page.sh --check || status=1
  [ "$status" -eq 0 ] && echo "pages: up to date" || echo "pages: run scripts/pages.sh and commit what it changes" >&2
  exit "$status"
fi
cp "$directory/PARAMETERS.md" hw/params/PARAMETERS.md
cp "$directory/README.md" README.md
cp "$directory/first_result.svg" sim/report/first_result.svg
cp "$directory/MODELS.md" workloads/MODELS.md
scripts/memory_page.sh
scripts/changed_parameters.py
echo "pages: written"
