#pragma once
// Everything that one run of a workload tells its reader. Plain data: two runs are equal when all but `performance` is equal.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hw/top/machine_result.h"
#include "kernels/target.h"
#include "sim/base/cycle.h"
#include "sim/config/machine_config.h"

namespace systole::run {

// Cycles of a model region such as "layer.0/attention/scores". Regions partition the run.
struct RegionResult {
  std::string name;
  Cycle cycles = 0;
  std::uint64_t macs = 0;                     // multiply-accumulates that the model needs in it
  std::vector<hw::UnitAccount> accounts;      // of the units, within the region
};

// Bytes on the memory port.
struct MemoryTraffic {
  std::uint64_t read_bytes = 0;
  std::uint64_t write_bytes = 0;
  std::uint64_t transactions = 0;
};

// Comparison of the machine's tensors with the integer reference, and of the output with the float model.
struct CheckResult {
  std::uint64_t boundaries = 0;               // tensors compared
  std::uint64_t elements = 0;
  std::uint64_t mismatches = 0;               // elements that differ
  std::string first_mismatch;                 // layer, tensor, row, column, both values, instruction; empty when equal
  struct Float {
    double cosine = 0;
    double sqnr_db = 0;
    double max_abs = 0;                       // largest absolute error relative to the largest absolute value
    double min_cosine = 0;                    // what the recipe promises for this model
    double min_sqnr_db = 0;
  };
  std::optional<Float> against_float;         // absent when there is no float model
  // Integers that left their range: none in a calibrated model.
  struct Overflows {
    std::uint64_t accumulator = 0;            // words
    std::uint64_t gelu = 0;                   // elements
    std::uint64_t exp_sum = 0;                // softmax rows
    std::uint64_t variance = 0;               // LayerNorm rows
    [[nodiscard]] std::uint64_t total() const { return accumulator + gelu + exp_sum + variance; }
  };
  Overflows overflows = {};

  [[nodiscard]] bool passed() const {
    return mismatches == 0 && (!against_float || (against_float->cosine >= against_float->min_cosine &&
                                                  against_float->sqnr_db >= against_float->min_sqnr_db));
  }
};

// How much of a run was simulated. All cycles are those of a run without skip-ahead.
struct Skipping {
  bool wanted = false;
  std::string refused;                        // why everything was simulated although wanted
  std::uint64_t pieces = 0;                   // stretches between fences that were simulated
  std::uint64_t repeated = 0;                 // and those that were not, because an equal one had been
  Cycle repeated_cycles = 0;
  bool values_of_model = false;               // values are those of the instruction set's functional model (isa/model)
};

// What a model with a language head says.
struct SequenceTokens {
  std::vector<std::int32_t> prompt;
  std::vector<std::int32_t> generated;   // one after the other (--generate) ...
  std::vector<std::int32_t> predicted;   // ... or the most likely token of every row
};

// About the simulator, not the machine.
struct Performance {
  struct Phase {
    std::string name;
    double cpu_seconds = 0;
  };
  std::vector<Phase> phases;   // in order: all that the run did
  double cpu_seconds = 0;
  double wall_seconds = 0;
  std::uint64_t peak_rss_bytes = 0;
  std::uint64_t wakeups = 0;
  std::string scheduler = "fast";
};

struct Results {
  std::string workload;
  std::uint64_t seq = 0;                      // 0, and layers too, of a program
  std::uint64_t layers = 0;
  std::uint64_t seed = 0;
  kernels::Tiler tiler = kernels::Tiler::kSearch;
  config::MachineConfig machine;
  bool timing_only = false;
  Cycle cycles = 0;
  std::uint64_t macs = 0;
  std::uint64_t commands = 0;
  std::vector<RegionResult> regions;
  std::vector<hw::UnitAccount> accounts;
  std::vector<hw::Counter> counters;
  MemoryTraffic memory;
  std::vector<SequenceTokens> tokens;         // by sequence; empty without a language head
  std::vector<std::string> warnings;
  std::optional<CheckResult> checks;          // absent when nothing was compared
  Skipping skipping;
  Performance performance;

  // Not a model's: as its author wrote it. Its checks are of ranges of memory, their bytes against isa/model.
  [[nodiscard]] bool of_program() const { return seq == 0; }
};

// Share of the array's multiply-accumulates that were used.
[[nodiscard]] double utilisation(std::uint64_t macs, Cycle cycles, int dim);

// Throws InternalError unless every unit's states add up to its cycles, and the regions' cycles to the run's.
void check_accounting(const Results& results);

// Regions of equal name as one, in order of first appearance. `as_sums`: over layers and tokens, as "layer.*/x".
[[nodiscard]] std::vector<RegionResult> merged_regions(const std::vector<RegionResult>& regions, bool as_sums);

// What the array waits for longest. While the execute controller has commands, its own largest stall; when it mostly has none, the largest
// stall of the units that bring operands and take results away. The units in front of it (reservation station, loop unrollers) do not
// count: they stall because it is busy. An operation of the CPU does: the array waits for it.
struct LargestStall {
  std::string unit;
  std::string state;
  std::uint64_t cycles = 0;
};
[[nodiscard]] LargestStall largest_stall(const std::vector<hw::UnitAccount>& accounts);

}  // namespace systole::run
