#include "sim/energy/energy.h"

#include <gtest/gtest.h>

#include "sim/energy/area.h"
#include "sim/energy/energy_table.h"

namespace systole::energy {
namespace {

double part(const Energy& energy, const std::string& name) {
  for (const EnergyPart& each : energy.parts) {
    if (each.name == name) return each.picojoules;
  }
  return -1;
}

TEST(Energy, every_event_is_at_its_place_in_the_table) {
  for (const EventCost& cost : kEventCosts) EXPECT_EQ(&cost_of(cost.event), &cost);
}

TEST(Energy, counts_times_table) {
  hw::MachineParams machine;
  RunCounts counts;
  counts.macs = 1000, counts.operand_rows = 10, counts.rows_written = 20, counts.read_bytes = 640,
  counts.write_bytes = 64;
  const Energy energy = energy_of(counts, machine);
  EXPECT_DOUBLE_EQ(part(energy, "array"), 1000 * (0.2 + 0.1));
  EXPECT_DOUBLE_EQ(part(energy, "dram"), 704 * 160.0);
  EXPECT_DOUBLE_EQ(part(energy, "scratchpad"), (10 * 16 + 640) * sram_pj_per_byte(64));
  EXPECT_DOUBLE_EQ(part(energy, "accumulator"), (2 * 20 * 64 + 64 * 4) * sram_pj_per_byte(32) + 20 * 16 * 0.1);
  EXPECT_EQ(part(energy, "normaliser"), -1);
  EXPECT_DOUBLE_EQ(energy.total_pj(), energy.on_chip_pj() + part(energy, "dram"));
}

TEST(Energy, the_sram_of_the_table_is_the_table_s) {
  EXPECT_DOUBLE_EQ(sram_pj_per_byte(8), 5.0 / 4);
  EXPECT_DOUBLE_EQ(sram_pj_per_byte(32), 2 * 5.0 / 4);
}

TEST(Energy, softmax_costs_its_multiplications_and_two_more_passes) {
  hw::MachineParams machine;
  NonLinearCounts counts;
  counts.softmax = 100;
  EXPECT_DOUBLE_EQ(part(energy_of({}, machine, counts), "normaliser"),
                   100 * (6 * 3.1 + 12 * 0.1 + 2 * 4 * sram_pj_per_byte(32)));
}

TEST(Area, the_published_machine_has_the_published_area) {
  hw::MachineParams machine;
  EXPECT_DOUBLE_EQ(area_of(machine).total(), 1029e3);
  machine.array.dim = 32;
  machine.accumulator.kib = 256;
  EXPECT_DOUBLE_EQ(area_of(machine).array, 4 * 116e3);
  EXPECT_DOUBLE_EQ(area_of(machine).accumulator, 4 * 146e3);
  EXPECT_DOUBLE_EQ(scaled_area(100, 22, 44), 400);
}

}  // namespace
}  // namespace systole::energy
