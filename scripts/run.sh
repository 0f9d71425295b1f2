#!/bin/sh
# Sets up, builds, and simulates a BERT-Base encoder layer at sequence length 128: values, cycles, and where the cycles went.
# Arguments replace the workload and its options: scripts/run.sh bert-base --seq 512 --layers 12
set -eu
cd "$(dirname "$0")/.."
scripts/setup.sh
scripts/build.sh release
[ $# -gt 0 ] || set -- bert-base --seq 128 --layers 1
echo "run: build/systole run $*"
exec build/systole run "$@"
