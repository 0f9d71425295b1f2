#pragma once
// A machine: accelerator, memory and the host that issues commands. One per process (a SystemC kernel is process-wide state).
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hw/params/machine.h"
#include "hw/ports/memory_log.h"
#include "hw/ports/port_log.h"
#include "hw/top/machine_result.h"
#include "isa/program.h"
#include "sim/base/memory.h"
#include "sim/kernel/scheduler.h"

namespace systole::hw {

class TlmMemory;
enum class TlmStyle : std::uint8_t;

struct MachineOptions {
  SchedulerMode scheduler = SchedulerMode::kFast;
  bool timing_only = false;              // no values: memory stays as it is, cycles are the same
  Cycle max_cycles = 1'000'000'000'000;
  // A run ends with an error when the accelerator is waited for and no command is issued or completes for this many cycles (0: never).
  Cycle watchdog = 10'000'000;
  PortLog* port_log = nullptr;           // receives every beat on the memory port, when given
  MemoryLog* memory_log = nullptr;       // memory.model = soc: receives every beat on AXI, when given
  std::optional<TlmStyle> tlm_memory;    // instead of memory.model: a memory of the user's own, bound to tlm_memory().socket
  std::vector<ResidentRange> resident;   // memory.model = soc: lines in the L2 before the first command, in this order
  int loop_conv_revision = 2023;         // form of the convolution's configuration words: 2023 square, 2025 rectangular
  bool reverse_order = false;            // units are registered in the opposite order: a test that order does not matter
};

class Machine {
 public:
  // Throws ConfigError when the parameters break a rule.
  Machine(const MachineParams& params, Memory& memory, const MachineOptions& options);
  ~Machine();

  // Loads the program's image into memory and runs it to its end. Throws ModelError when the program misuses the machine, deadlocks, or
  // exceeds max_cycles.
  MachineResult run(const isa::Program& program);

  // The port's TLM-2.0 initiator (hw/memory/tlm_memory.h); only with MachineOptions::tlm_memory. Bind its socket before run().
  [[nodiscard]] TlmMemory& tlm_memory();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace systole::hw
