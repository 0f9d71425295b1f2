#pragma once
// What a run of a machine leaves behind. Plain data: readers need no SystemC.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hw/ports/memory_log.h"
#include "sim/base/cycle.h"

namespace systole::hw {

// Cycles of one named state of a unit.
struct StateCycles {
  std::string name;
  bool stall = false;
  std::uint64_t cycles = 0;
  std::string text{};                // what the unit does or waits for
};

struct UnitAccount {
  std::string unit;
  std::vector<StateCycles> states;   // "busy", "idle" and stalls; they add up to the run's cycles
};

struct Counter {
  std::string name;                  // e.g. "dma.reader.requests"
  std::uint64_t value = 0;
  std::string text;                  // what is counted
};

struct RegionCycles {
  std::uint32_t region = 0;          // index into Program::regions
  Cycle cycles = 0;                  // regions partition the run
  std::vector<UnitAccount> accounts; // of the units, within the region
};

// Pieces of work that were simulated, and repeated without simulation (hw/top/skip_ahead.h).
struct SkipCounts {
  std::uint64_t simulated = 0;
  std::uint64_t repeated = 0;
  Cycle simulated_cycles = 0;
  Cycle repeated_cycles = 0;
  std::uint64_t rounds = 0;      // of loops, gone through at once (hw/top/steady_loop.h)
};

struct MachineResult {
  Cycle origin = 0;                        // simulation cycle in which the first command was accepted; the others count from there
  Cycle cycles = 0;                        // time stamp of the last fence
  std::vector<Cycle> fences;
  std::vector<Cycle> accepts;              // one per host command
  std::vector<UnitAccount> accounts;
  std::vector<Counter> counters;
  std::vector<RegionCycles> regions;
  std::vector<std::string> warnings;       // hazards of the RTL that the program runs into
  std::uint64_t wakeups = 0;
  std::optional<L2Counts> l2;
  std::optional<SkipCounts> skipped;       // absent when every cycle was simulated
};

}  // namespace systole::hw
