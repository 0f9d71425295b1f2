#!/bin/sh
# Checks that need no compiler: who includes whom, no machine paths, file formats; clang-format with --format.
set -u
cd "$(dirname "$0")/.."
errors=0
complain() { echo "lint: $*" >&2; errors=$((errors + 1)); }

sources() { git ls-files --cached --others --exclude-standard -- "$@" | grep -E '\.(h|cpp|def)$'; }

# forbid FOLDER PATTERN REASON: no file below FOLDER includes what matches PATTERN.
forbid() {
  hits=$(sources "$1" | xargs -r grep -nE "^#include +[\"<]($2)" /dev/null)
  [ -z "$hits" ] || { complain "$3:"; echo "$hits" >&2; }
}

# Boxes from the bottom up: each may include what stands below it.
forbid sim/base '(hw|isa|kernels|workloads|sim/(kernel|stats|config|run|replay|report|app))/' "sim/base is the bottom of the project"
forbid sim/stats '(hw|isa|kernels|workloads|sim/(kernel|config|run|replay|report|app))/' "sim/stats stands on sim/base only"
forbid sim/kernel '(hw|isa|kernels|workloads|sim/(config|run|replay|report|app))/' "sim/kernel stands on sim/base and sim/stats"
forbid isa '(hw|kernels|workloads|sim/(kernel|stats|config|run|replay|report|app))/|systemc|tlm' "isa stands on sim/base and knows no SystemC"
forbid hw/params '(isa|kernels|workloads|hw/[^p]|sim/[^b])|systemc|tlm|yaml|nlohmann|hw/ports' "hw/params stands on sim/base and knows no SystemC, YAML or JSON"
forbid hw '(kernels|workloads|sim/(config|run|replay|report|trace|app))/|isa/model' "hw includes no software and nothing that runs it"
forbid kernels '(workloads|hw/[^p]|sim/[^b])|systemc|tlm|hw/ports' "kernels see the machine through hw/params only"
forbid workloads '(hw/[^p]|sim/[^b])|systemc|tlm|hw/ports' "workloads know no SystemC and no machine"
forbid isa/model 'hw/|kernels/|workloads/' "the oracle includes nothing of hw"

# A unit folder never includes another one.
units="frontend control execute array local sfu dma memory host stream"
for unit in $units; do
  others=$(echo "$units" | tr ' ' '\n' | grep -vx "$unit" | paste -sd'|')
  forbid "hw/$unit" "hw/($others|top)/" "hw/$unit includes another unit"
done
for folder in params ports datapath; do
  forbid "hw/$folder" "hw/($(echo "$units" | tr ' ' '|')|top)/" "hw/$folder includes a unit"
done

# Time above the kernel is a Cycle.
hits=$(sources hw | grep -vE '^hw/(top|memory|stream)/' | xargs -r grep -nE '\b(sc_clock|sc_signal|sc_fifo|SC_THREAD|SC_CTHREAD)\b' /dev/null)
[ -z "$hits" ] || { complain "SystemC primitives in a hardware unit:"; echo "$hits" >&2; }

# Only sim/app, and the examples for users of the library, print or end the program.
hits=$(sources isa hw kernels workloads sim | grep -vE '^sim/(app|examples)/' | xargs -r grep -nE '\b(std::cout|std::cerr|printf|std::exit|std::abort|getenv)\b *[(<]' /dev/null | grep -vE 'snprintf')
[ -z "$hits" ] || { complain "output or exit outside of sim/app:"; echo "$hits" >&2; }

for header in $(sources isa hw kernels workloads sim tests | grep '\.h$'); do
  head -1 "$header" | grep -q '^#pragma once' || complain "$header: the first line must be '#pragma once'"
done

hits=$(git ls-files --cached --others --exclude-standard | grep -vE '^(tests/data/|scripts/lint.sh|\.ci/)' | xargs -r grep -nIE '(^|[^A-Za-z0-9_.])/(work|home|root)/' /dev/null)
[ -z "$hits" ] || { complain "paths of one machine:"; echo "$hits" >&2; }

hits=$(sources isa hw kernels workloads sim tests | xargs -r grep -nE '[[:blank:]]+$' /dev/null | head -20)
[ -z "$hits" ] || { complain "blanks at the end of a line:"; echo "$hits" >&2; }

if [ "${1:-}" = --format ]; then
  sources isa hw kernels workloads sim tests | grep -v '\.def$' | xargs clang-format --dry-run --Werror || complain "clang-format"
fi

if [ "$errors" -eq 0 ]; then echo "lint: clean"; else echo "lint: $errors complaints" >&2; exit 1; fi
