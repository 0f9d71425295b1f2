#include "sim/energy/energy.h"

#include <cmath>

#include "sim/base/errors.h"
#include "sim/energy/energy_table.h"

namespace systole::energy {
namespace {

constexpr double kWordBytes = 4;       // of an accumulator element
constexpr double kTableSramKib = 8;    // capacity that kSramRead32 belongs to
constexpr double kTableWordBytes = 4;  // width of the table's memory accesses

double normaliser_pj(double elements, const NonLinearCost& cost, double accumulator_pj_per_byte) {
  return elements * (cost.multiplications * cost_of(Event::kMultiply32).picojoules +
                     cost.additions * cost_of(Event::kAdd32).picojoules +
                     cost.accumulator_passes * kWordBytes * accumulator_pj_per_byte);
}

std::uint64_t value_of(const std::vector<hw::Counter>& counters, const char* name) {
  for (const hw::Counter& counter : counters) {
    if (counter.name == name) return counter.value;
  }
  SYSTOLE_CHECK(false);
  return 0;
}

}  // namespace

RunCounts run_counts(const std::vector<hw::Counter>& counters, std::uint64_t read_bytes, std::uint64_t write_bytes) {
  return {value_of(counters, "execute.macs"), value_of(counters, "execute.operand_rows"),
          value_of(counters, "array.rows_written"), read_bytes, write_bytes};
}

double Energy::total_pj() const {
  double total = 0;
  for (const EnergyPart& part : parts) total += part.picojoules;
  return total;
}

double Energy::on_chip_pj() const {
  double total = 0;
  for (const EnergyPart& part : parts) total += part.name == "dram" ? 0 : part.picojoules;
  return total;
}

double sram_pj_per_byte(double bank_kib) {
  return cost_of(Event::kSramRead32).picojoules / kTableWordBytes * std::sqrt(bank_kib / kTableSramKib);
}

Energy energy_of(const RunCounts& counts, const hw::MachineParams& machine, const NonLinearCounts& non_linear) {
  const auto number = [](auto value) { return static_cast<double>(value); };
  const double dim = number(machine.array.dim);
  const double scratchpad_pj = sram_pj_per_byte(number(machine.scratchpad.kib) / number(machine.scratchpad.banks));
  const double accumulator_pj = sram_pj_per_byte(number(machine.accumulator.kib) / number(machine.accumulator.banks));
  const double mac_pj = cost_of(Event::kMultiply8).picojoules + cost_of(Event::kAdd32).picojoules;
  const double dram_pj = cost_of(Event::kDramRead32).picojoules / kTableWordBytes;

  const double scratchpad_bytes = number(counts.operand_rows) * dim + number(counts.read_bytes);
  const double accumulator_bytes =
      2 * number(counts.rows_written) * dim * kWordBytes + number(counts.write_bytes) * kWordBytes;
  const double port_bytes = number(counts.read_bytes) + number(counts.write_bytes);
  const double adds = number(counts.rows_written) * dim * cost_of(Event::kAdd32).picojoules;

  Energy energy;
  energy.parts = {{"array", number(counts.macs), "MAC", number(counts.macs) * mac_pj},
                  {"scratchpad", scratchpad_bytes, "byte", scratchpad_bytes * scratchpad_pj},
                  {"accumulator", accumulator_bytes, "byte", accumulator_bytes * accumulator_pj + adds},
                  {"dram", port_bytes, "byte", port_bytes * dram_pj}};
  const double elements = number(non_linear.softmax) + number(non_linear.layer_norm) + number(non_linear.gelu);
  if (elements > 0) {
    const double pj = normaliser_pj(number(non_linear.softmax), kSoftmaxCost, accumulator_pj) +
                      normaliser_pj(number(non_linear.layer_norm), kLayerNormCost, accumulator_pj) +
                      normaliser_pj(number(non_linear.gelu), kGeluCost, accumulator_pj);
    energy.parts.push_back({"normaliser", elements, "element", pj});
  }
  return energy;
}

const std::vector<std::string>& energy_assumptions() {
  static const std::vector<std::string> list = {
      "45 nm, 0.9 V: figure 15 of arXiv 2302.14017 (from Horowitz, ISSCC 2014)",
      "SRAM energy grows with the root of the capacity of a bank",
      "scratchpad: operands read, all bytes from memory written; accumulator: every row of results read, added and "
      "written, every "
      "byte stored read as 32 bits",
      "every byte on the memory port is an access to DRAM",
      "not counted: registers, clock, control, wires, leakage, the units for non-linear functions, the CPU"};
  return list;
}

}  // namespace systole::energy
