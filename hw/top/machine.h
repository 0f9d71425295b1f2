#pragma once
// A machine: accelerator, memory and the host that issues commands. One per process (a SystemC kernel is process-wide state).
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hw/params/machine.h"
#include "hw/ports/memory_log.h"
#include "hw/ports/port_log.h"
#include "hw/ports/zero_sums.h"
#include "hw/top/machine_result.h"
#include "isa/program.h"
#include "sim/base/memory.h"
#include "sim/kernel/scheduler.h"
#include "sim/stats/state_log.h"

namespace systole::hw {

class TlmMemory;
enum class TlmStyle : std::uint8_t;

struct MachineOptions {
  SchedulerMode scheduler = SchedulerMode::kFast;
  Granularity granularity = Granularity::kRuns;
  bool timing_only = false;              // no values: memory stays as it is, cycles are the same
  Cycle max_cycles = 1'000'000'000'000;
  // A run ends with an error when the accelerator is waited for and for this many cycles no command is issued or completes, nor a line of a
  // host operation comes from memory (0: never).
  Cycle watchdog = 10'000'000;
  PortLog* port_log = nullptr;           // receives every beat on the memory port, when given
  StateLog* state_log = nullptr;         // receives the state of every unit in every cycle, when given
  MemoryLog* memory_log = nullptr;       // memory.model = soc: receives every beat on AXI, when given
  std::optional<TlmStyle> tlm_memory;    // instead of memory.model: a memory of the user's own, bound to tlm_memory().socket
  std::vector<ResidentRange> resident;   // memory.model = soc: lines in the L2 before the first command, in this order
  int loop_conv_revision = 2023;         // form of the convolution's configuration words: 2023 square, 2025 rectangular
  bool skip_ahead = false;               // repeats equal pieces of work without simulating them; see cannot_skip_ahead()
  std::uint64_t look_into_loops_of = 128; // skip_ahead: tile operations that a LOOP_WS must have for pieces to begin and end inside it
  const ZeroSums* zero_sums = nullptr;   // with timing_only, where they are known: then the cycles are those of a run with values
  // With values: called in front of the first item and behind every fence, with the number of the next item. Everything before is done and in
  // memory, and what the call changes there is seen by what follows.
  std::function<void(std::size_t next)> at_fence;
  std::string prefix;                    // of the modules' names: several machines in one process
  bool reverse_order = false;            // units are registered in the opposite order: a test that order does not matter
};

// Why a run with these options cannot skip ahead; empty when it can. Values are not for skip_ahead: take them from isa/model, if
// values_follow_order() says nothing against it.
[[nodiscard]] std::string cannot_skip_ahead(const MachineParams& params, const MachineOptions& options, const Memory& memory, const isa::Program& program);
// Why the values that a program leaves in memory may depend on time; empty when they are those of its commands one after the other, as far as
// main memory is concerned. Only for a program that can skip ahead.
[[nodiscard]] std::string values_follow_order(const MachineParams& params, const Memory& memory, const isa::Program& program);

// A run with skip_ahead met one of the RTL's hazards, so each of its places must be simulated.
struct SkipAbandoned {
  std::string hazard;
};

class Machine {
 public:
  // Throws ConfigError when the parameters break a rule.
  Machine(const MachineParams& params, Memory& memory, const MachineOptions& options);
  ~Machine();

  // Loads the program's image into memory (unless it is there, or nobody asks for values) and runs it to its end. Throws ModelError when the program misuses the machine, deadlocks, or
  // exceeds max_cycles; SkipAbandoned.
  MachineResult run(const isa::Program& program, bool load = true);

  // A test of what skip-ahead relies on: two machines run the program's pieces by turns, and each takes over from the other only what
  // residual() names. The result is that of either machine alone. Both without values, and new.
  MachineResult run_in_turns(const isa::Program& program, Machine& other);

  // The port's TLM-2.0 initiator (hw/memory/tlm_memory.h); only with MachineOptions::tlm_memory. Bind its socket before run().
  [[nodiscard]] TlmMemory& tlm_memory();

 private:
  struct Parts;
  // Of a run that has ended.
  [[nodiscard]] MachineResult result();
  std::unique_ptr<Parts> parts_;
};

}  // namespace systole::hw
