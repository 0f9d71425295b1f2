#include "hw/params/machine.h"

#include <fmt/format.h>

#include "hw/params/derived.h"
#include "hw/params/dram_timing.h"
#include "sim/base/errors.h"

namespace systole::hw {

void apply_revision(MachineParams& machine, int revision) {
  const int later = revision >= 2025 ? 1 : 0;
  machine.revision = revision;
  machine.mvin_scale.input_queue = later;
  machine.scratchpad.response_queue = later;
  machine.reservation.stores_serialised = later;
  machine.sfu.iexp_as_igelu = later;
}

std::vector<std::string> broken_rules(const MachineParams& m) {
  std::vector<std::string> rules;
  const auto require = [&](bool holds, std::string text) {
    if (!holds) rules.push_back(std::move(text));
  };
  const auto is_power_of_two = [](int value) { return value > 0 && (value & (value - 1)) == 0; };

  require(m.revision == 2023 || m.revision == 2025, fmt::format("revision = {}: known are 2023 and 2025", m.revision));
  require(m.array.tile <= m.array.dim, fmt::format("array.tile = {} is larger than array.dim = {}", m.array.tile, m.array.dim));
  const bool scratchpad_whole = m.scratchpad.kib * 1024 % (m.array.dim * m.scratchpad.banks) == 0;
  require(scratchpad_whole && is_power_of_two(scratchpad_bank_rows(m)),
          fmt::format("scratchpad.kib = {}: a bank must have a power of two of rows ({} banks of {}-byte rows)", m.scratchpad.kib,
                      m.scratchpad.banks, scratchpad_row_bytes(m)));
  require(scratchpad_bank_rows(m) % m.array.dim == 0 && scratchpad_bank_rows(m) > 0,
          fmt::format("scratchpad.kib = {}: rows of a bank must be a multiple of array.dim = {}", m.scratchpad.kib, m.array.dim));
  const bool accumulator_whole = m.accumulator.kib * 1024 % (accumulator_row_bytes(m) * m.accumulator.banks) == 0;
  require(accumulator_whole && is_power_of_two(accumulator_bank_rows(m)),
          fmt::format("accumulator.kib = {}: a bank must have a power of two of rows ({} banks of {}-byte rows)", m.accumulator.kib,
                      m.accumulator.banks, accumulator_row_bytes(m)));
  require(accumulator_bank_rows(m) % m.array.dim == 0 && accumulator_bank_rows(m) > 0,
          fmt::format("accumulator.kib = {}: rows of a bank must be a multiple of array.dim = {}", m.accumulator.kib, m.array.dim));
  require(m.accumulator.ports == 2 || m.accumulator.sub_banks != 0,
          "accumulator.ports = 1 needs accumulator.sub_banks (1, 2 or 4)");
  require(m.accumulator.ports == 1 || m.accumulator.sub_banks == 0,
          fmt::format("accumulator.sub_banks = {} needs accumulator.ports = 1", m.accumulator.sub_banks));
  require(m.dma.bus_bytes <= m.dma.max_bytes,
          fmt::format("dma.bus_bytes = {} is larger than dma.max_bytes = {}", m.dma.bus_bytes, m.dma.max_bytes));
  // DMA.scala StreamWriter: no beat is sent while all ids are in use (xactBusy.andR).
  require(m.dma.max_in_flight > 1, "dma.max_in_flight = 1: a write holds its id while its second beat waits for a free one, and hangs");
  require(row_bits(m) <= 25, fmt::format("row numbers need {} bits; a local address has room for 25", row_bits(m)));
  require(m.sfu.lanes <= m.array.dim, fmt::format("sfu.lanes = {} is larger than array.dim = {}", m.sfu.lanes, m.array.dim));
  require(m.accumulator.scale_units == 0 || (m.accumulator.scale_units >= 4 && m.sfu.normaliser != 0),
          fmt::format("accumulator.scale_units = {}: shared units need the normaliser, and at least 4 of them", m.accumulator.scale_units));
  if (m.memory.model == MemoryModel::kSoc) {
    const int lines = m.soc.l2_kib * 1024 / 64;
    require(m.soc.l2_ways * m.soc.l2_banks <= lines / 2,
            fmt::format("soc.l2_ways = {} leaves no sets: a cache of soc.l2_kib = {} in soc.l2_banks = {} has {} lines of 64 bytes a bank, and needs two sets",
                        m.soc.l2_ways, m.soc.l2_kib, m.soc.l2_banks, lines / m.soc.l2_banks));
    const int llc_lines = m.soc.llc_kib * 1024 / 64;
    require(m.soc.llc_kib == 0 || m.soc.llc_ways <= llc_lines,
            fmt::format("soc.llc_ways = {}: a cache of soc.llc_kib = {} has {} lines of 64 bytes", m.soc.llc_ways, m.soc.llc_kib, llc_lines));
    if (m.soc.dram != DramKind::kFixed) {
      for (std::string& rule : contradictions(dram_timing(m.soc.dram, m.dram_timing))) rules.push_back(std::move(rule));
    }
    require(m.dma.max_bytes <= 64, fmt::format("dma.max_bytes = {}: with memory.model = soc a request must fit into a line of 64 bytes", m.dma.max_bytes));
  }
  require(m.queue.load <= 64 && m.reservation.load <= 128, "queues larger than the reservation station's limits");
  return rules;
}

const MachineParams& buildable(const MachineParams& machine) {
  const std::vector<std::string> rules = broken_rules(machine);
  if (rules.empty()) return machine;
  std::string text = "this machine cannot be built:";
  for (const std::string& rule : rules) text += "\n  " + rule;
  throw ConfigError(text);
}

}  // namespace systole::hw
