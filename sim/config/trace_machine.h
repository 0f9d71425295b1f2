#pragma once
// The machine that a RoCC trace is for.
#include "isa/trace.h"
#include "sim/config/machine_config.h"

namespace systole::config {

// The reference machine with the trace's `machine` settings; without such a line the reference machine has no normaliser.
// The trace's `mem` line gives the latency of the ideal memory. Throws ConfigError naming file and line.
[[nodiscard]] MachineConfig trace_machine(const isa::Trace& trace);

// `base` instead of the machine that the trace names; the `mem` line still counts.
[[nodiscard]] MachineConfig trace_machine(const isa::Trace& trace, const MachineConfig& base);

}  // namespace systole::config
