#pragma once
// Energy of a run: counts of events times a table of 45 nm numbers (energy_table.def). For comparing machines and
// programs; registers, clock, control and wires have no numbers in the table and are not counted.
#include <cstdint>
#include <string>
#include <vector>

#include "hw/params/machine.h"
#include "hw/top/machine_result.h"

namespace systole::energy {

// What a run counts, in the terms of its counters.
struct RunCounts {
  std::uint64_t macs = 0;          // "execute.macs"
  std::uint64_t operand_rows = 0;  // "execute.operand_rows": scratchpad rows read for the array
  std::uint64_t rows_written = 0;  // "array.rows_written": rows of results in the accumulator
  std::uint64_t read_bytes = 0;    // on the memory port
  std::uint64_t write_bytes = 0;
};

// From the counters of a machine and the bytes on its memory port; a counter that is missing is an InternalError.
[[nodiscard]] RunCounts run_counts(const std::vector<hw::Counter>& counters, std::uint64_t read_bytes,
                                   std::uint64_t write_bytes);

// Elements that pass the units for non-linear operations; a run has no counters for them, a study knows them.
struct NonLinearCounts {
  std::uint64_t softmax = 0, layer_norm = 0, gelu = 0;
};

struct EnergyPart {
  std::string name;  // "array" "scratchpad" "accumulator" "dram" "normaliser"
  double count = 0;
  std::string unit;       // what is counted: "MAC" "byte" "element"
  double picojoules = 0;  // of all
};

struct Energy {
  std::vector<EnergyPart> parts;
  [[nodiscard]] double total_pj() const;
  // Without DRAM: of the accelerator.
  [[nodiscard]] double on_chip_pj() const;
};

// Choices of ours, where a run counts less than the table asks:
// * A multiply-accumulate is an 8-bit multiplication and a 32-bit addition.
// * SRAM: 5 pJ per 32 bits at 8 KiB, growing with the root of the capacity of a bank (Horowitz: twice as much at 32
// KiB,
//   ten times at 1 MiB).
// * Scratchpad: operands read, all bytes from memory written. Accumulator: every row of results is read, added and
//   written; every byte stored is a 32-bit word read.
// * DRAM: every byte on the memory port; what an L2 holds is not told apart.
[[nodiscard]] Energy energy_of(const RunCounts& counts, const hw::MachineParams& machine,
                               const NonLinearCounts& non_linear = {});

// The same in a sentence per assumption, for reports.
[[nodiscard]] const std::vector<std::string>& energy_assumptions();

// pJ per byte of an SRAM bank.
[[nodiscard]] double sram_pj_per_byte(double bank_kib);

// Operations of the units for non-linear functions per element, as written in Gemmini v0.7.2: AccumulatorScale.scala
// (igelu, iexp) and Normalizer.scala (lanes). Softmax: maximum, sum of exponentials, exponential again; LayerNorm: sum,
// squares, difference.
struct NonLinearCost {
  double multiplications, additions;  // of 32 bits
  double accumulator_passes;          // beyond the one that every result needs
};
inline constexpr NonLinearCost kSoftmaxCost{6, 12, 2};
inline constexpr NonLinearCost kLayerNormCost{1, 4, 2};
inline constexpr NonLinearCost kGeluCost{2, 5, 0};

}  // namespace systole::energy
