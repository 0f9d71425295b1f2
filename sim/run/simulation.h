#pragma once
// One run of a workload: model, quantisation, lowering, simulation, comparison with the integer reference and the float model.
#include <cstdint>
#include <functional>
#include <string>

#include "hw/top/machine_result.h"
#include "isa/program.h"
#include "sim/base/memory.h"
#include "sim/kernel/scheduler_mode.h"
#include "sim/run/follower.h"
#include "sim/run/request.h"
#include "sim/run/results.h"
#include "sim/stats/state_log.h"

namespace systole::run {

struct SimulationSettings {
  SchedulerMode scheduler = SchedulerMode::kFast;
  Granularity granularity = Granularity::kRuns;
  bool timing_only = false;
  // Equal pieces of work are simulated once (hw/top/skip_ahead.h), and values are those of isa/model. Where that is not known to give the same
  // cycles and values, everything is simulated after all; Skipping says so.
  bool skip_ahead = false;
  bool check = true;                     // compare values (not with timing_only)
  StateLog* state_log = nullptr;         // receives the state of every unit in every cycle; then nothing is skipped
  std::uint64_t max_cycles = 1'000'000'000'000;
  std::uint64_t watchdog = 10'000'000;   // see hw::MachineOptions
  unsigned threads = 1;                  // of the quantisation; the result does not depend on it
  std::function<void(const std::string& phase)> progress = [](const std::string&) {};
  // Called now and then during the simulation with the current cycle and the end if the array were always busy.
  std::function<void(Cycle now, Cycle at_least)> on_cycle = [](Cycle, Cycle) {};
};

// Throws ConfigError (unknown workload, a size that does not fit), ModelError (the program misuses the machine).
[[nodiscard]] Results run_workload(const WorkloadRequest& request, const config::MachineConfig& machine, const SimulationSettings& settings);

// Simulates a program. Its image is its initial memory, unless values are followed (sim/run/follower.h). One per process.
struct ProgramRun {
  hw::MachineResult machine;
  MemoryTraffic traffic;
  Skipping skipping;
};
[[nodiscard]] ProgramRun simulate(const isa::Program& program, Memory& memory, const config::MachineConfig& machine,
                                  const SimulationSettings& settings, Follower* follower = nullptr);

}  // namespace systole::run
