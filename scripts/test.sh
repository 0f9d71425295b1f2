#!/bin/sh
# Sets up, builds, and runs every test that finishes in minutes; ends with ctest's summary.
# Arguments go to ctest: scripts/test.sh -L quick, scripts/test.sh -R config
set -eu
cd "$(dirname "$0")/.."
scripts/setup.sh
scripts/build.sh release
exec ctest --test-dir build --output-on-failure --parallel "${JOBS:-$(nproc)}" -LE nightly "$@"
