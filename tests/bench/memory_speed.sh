#!/bin/sh
# How much more CPU time one BERT-Base layer (l = 128), all of it simulated, takes on the SoC memory system than on ideal memory: best of N runs in turn.
#   tests/bench/memory_speed.sh [N]     N: 5; BUILD=directory for another build. Exit code 1: more than twice as much.
set -eu
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
[ -x "$build/systole" ] || { echo "memory_speed: no $build/systole; run scripts/build.sh" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for _ in $(seq "${1:-5}"); do
  for values in --timing-only --no-check; do
    for model in ideal soc; do
      "$build/systole" run bert-base --seq 128 --layers 1 --skip-ahead off "$values" --set "memory.model=$model" 2>/dev/null |
        sed -n "s/^simulated in \([0-9.]*\) s.*/$values $model \1/p" >>"$work/times"
    done
  done
done
awk '{ key = $1 " " $2; if (!(key in best) || $3 < best[key]) best[key] = $3 }
  END {
    bad = 0
    split("--timing-only --no-check", modes, " ")
    for (i = 1; i <= 2; i++) {
      m = modes[i]; r = best[m " soc"] / best[m " ideal"]
      printf "%s: ideal %.2f s, soc %.2f s of CPU time, %.2f times as much\n", m == "--no-check" ? "with values" : "timing only", best[m " ideal"], best[m " soc"], r
      if (r > 2) bad = 1
    }
    exit bad
  }' "$work/times"
