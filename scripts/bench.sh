#!/bin/sh
# Measures the simulator's speed and prints it beside its targets: scripts/bench.sh --help.
set -eu
cd "$(dirname "$0")/.."
exec python3 scripts/bench.py "$@"
