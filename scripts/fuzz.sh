#!/bin/sh
# Runs the libFuzzer programs of the readers, each for some seconds; any crash, leak, sanitizer report or escaped exception ends the script.
#   scripts/fuzz.sh [SECONDS]        default: 5 for each reader
# Builds them with clang into build-fuzz/ first. What is found is kept as build-fuzz/crash-*; corpora grow in build-fuzz/corpus/.
set -eu
cd "$(dirname "$0")/.."
case "${1:-}" in -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
seconds=${1:-5}
directory=build-fuzz
readers="assembler container trace expectation machine safetensors"

launcher=""
command -v ccache >/dev/null && launcher="-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"
cmake -G Ninja -B "$directory" -DSYSTOLE_FUZZ=ON -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_COMPILER=clang++ $launcher \
  -DCMAKE_CXX_FLAGS="-O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer" >/dev/null
cmake --build "$directory" --parallel "${JOBS:-$(nproc)}" --target $(for reader in $readers; do echo "fuzz_$reader"; done)

# Good input to start from: small files of the repository.
for reader in $readers; do mkdir -p "$directory/corpus/$reader"; done
find tests/data/golden/programs -name '*.trace' -size -8k -exec cp {} "$directory/corpus/trace/" \;
find tests/data -name '*.expect.json' -size -8k 2>/dev/null | head -40 | xargs -r -I{} cp {} "$directory/corpus/expectation/"
find tests workloads sim -name '*.yaml' -size -8k | while read -r file; do
  cp "$file" "$directory/corpus/machine/"
done
printf 'preset: survey\ndma: {max_in_flight: 32}\n' >"$directory/corpus/machine/small.yaml"
printf 'mvin dram=0x80001000 local=0 cols=16 rows=16\n.fence\n' >"$directory/corpus/assembler/small.s"
printf '\002\000\000\000\000\000\000\000{}' >"$directory/corpus/safetensors/empty.safetensors"

for reader in $readers; do
  echo "fuzz: $reader"
  "$directory/tests/fuzz/fuzz_$reader" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=0 \
    -artifact_prefix="$directory/$reader-" "$directory/corpus/$reader" 2>"$directory/$reader.log" || {
    tail -40 "$directory/$reader.log" >&2
    exit 1
  }
done
echo "fuzz: nothing found in $seconds s for each of: $readers"
