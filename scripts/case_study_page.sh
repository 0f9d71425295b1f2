#!/bin/sh
# Writes the page of the case study from the tables of a full run (minutes of CPU time; goes on where an earlier run stopped).
#   scripts/case_study_page.sh DIR [JOBS]     DIR: of the run, kept
set -eu
cd "$(dirname "$0")/.."
directory=${1:?usage: scripts/case_study_page.sh DIR [JOBS]}
build/systole reproduce all --quiet --jobs "${2:-$(nproc)}" --out "$directory"
pages=sim/study/results
mkdir -p "$pages"
cp "$directory"/CASE_STUDY.md "$directory"/E*_figure_*.svg "$pages"
for name in sdpa.md sdpa_depths_a.svg sdpa_depths_d.svg sdpa_speed.svg; do cp "$directory/$name" "$pages"; done
echo "case study: $pages written"
