#pragma once
// Replays a RoCC command stream at the accelerator's port and records what the RTL's expectation file records.
#include "hw/params/machine.h"
#include "hw/top/machine_result.h"
#include "isa/expectation.h"
#include "isa/trace.h"
#include "sim/base/cycle.h"
#include "sim/kernel/scheduler_mode.h"
#include "sim/stats/state_log.h"

namespace systole::replay {

struct ReplayOptions {
  SchedulerMode scheduler = SchedulerMode::kFast;
  Granularity granularity = Granularity::kRuns;
  bool timing_only = false;          // no values: the check regions are left out of the result
  Cycle max_cycles = 1'000'000'000;
  Cycle watchdog = 10'000'000;       // see hw::MachineOptions
  StateLog* state_log = nullptr;     // see hw::MachineOptions
  bool reverse_order = false;        // see hw::MachineOptions
};

struct ReplayResult {
  isa::Expectation measured;
  hw::MachineResult run;
};

// One run per process. Throws ConfigError (the trace does not fit the machine) or ModelError.
[[nodiscard]] ReplayResult replay_trace(const isa::Trace& trace, const hw::MachineParams& params, const ReplayOptions& options);

}  // namespace systole::replay
