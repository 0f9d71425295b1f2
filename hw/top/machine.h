#pragma once
// A machine: accelerator, memory and the host that issues commands. One per process (a SystemC kernel is process-wide state).
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hw/params/machine.h"
#include "hw/ports/port_log.h"
#include "isa/program.h"
#include "sim/base/memory.h"
#include "sim/kernel/scheduler.h"

namespace systole::hw {

struct MachineOptions {
  SchedulerMode scheduler = SchedulerMode::kFast;
  bool timing_only = false;              // no values: memory stays as it is, cycles are the same
  Cycle max_cycles = 1'000'000'000'000;
  PortLog* port_log = nullptr;           // receives every beat on the memory port, when given
  int reverse_order = 0;                 // 1: units are registered in the opposite order (a test of order independence)
};

// Cycles of one named state of a unit.
struct StateCycles {
  std::string name;
  bool stall = false;
  std::uint64_t cycles = 0;
};

struct UnitAccount {
  std::string unit;
  std::vector<StateCycles> states;   // "busy", "idle" and stalls; they add up to the run's cycles
};

struct Counter {
  std::string name;                  // e.g. "dma.reader.requests"
  std::uint64_t value = 0;
  std::string text;
};

struct RegionCycles {
  std::uint32_t region = 0;          // index into Program::regions
  Cycle cycles = 0;                  // regions partition the run
  std::vector<UnitAccount> accounts; // of the units, within the region
};

struct MachineResult {
  Cycle cycles = 0;                        // time stamp of the last fence; 0 is the acceptance of the first command
  std::vector<Cycle> fences;
  std::vector<Cycle> accepts;              // one per host command
  std::vector<UnitAccount> accounts;
  std::vector<Counter> counters;
  std::vector<RegionCycles> regions;
  std::vector<std::string> warnings;       // hazards of the RTL that the program runs into
  std::uint64_t wakeups = 0;
};

class Machine {
 public:
  // Throws ConfigError when the parameters break a rule.
  Machine(const MachineParams& params, Memory& memory, const MachineOptions& options);
  ~Machine();

  // Loads the program's image into memory and runs it to its end. Throws ModelError when the program misuses the machine, deadlocks, or
  // exceeds max_cycles.
  MachineResult run(const isa::Program& program);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace systole::hw
