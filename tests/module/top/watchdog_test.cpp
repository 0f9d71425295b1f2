// Runs that come to no end: nothing can happen any more, nothing useful happens any more, or there is no time left.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "hw/top/machine.h"
#include "isa/assembler.h"
#include "isa/host_operation.h"
#include "isa/trace.h"
#include "sim/base/errors.h"
#include "sim/base/process_pool.h"
#include "sim/config/trace_machine.h"
#include "sim/replay/replay.h"

namespace systole {
namespace {

const char* const kLoad = "config_ld scale=1f stride=16\nmvin dram=0x80001000 local=0 cols=16 rows=16\n";

// The cycles of a run, or its error; each run in a process of its own.
std::string in_process(const std::function<std::string()>& work) {
  std::string result;
  run_tasks(1, 1, [&](std::size_t) { return work(); },
            [&](std::size_t, const TaskResult& task) { result = (task.end == TaskEnd::kModelError ? "misuse: " : "") + task.text; });
  return result;
}

std::string outcome(const std::string& machine, const std::string& text, const replay::ReplayOptions& options) {
  return in_process([&] {
    isa::Trace trace = isa::parse_trace("# systole-trace 1\nmachine " + machine + "\nmem latency=1000 beat_bytes=16\nfence\n", "case");
    trace.program.items = isa::assemble(text, "case").items;
    return fmt::format("{} cycles", replay::replay_trace(trace, config::trace_machine(trace).params, options).run.cycles);
  });
}

class Watchdog : public testing::TestWithParam<SchedulerMode> {
 protected:
  replay::ReplayOptions with(Cycle watchdog, Cycle max_cycles = 1'000'000) const {
    replay::ReplayOptions options;
    options.scheduler = GetParam();
    options.watchdog = watchdog;
    options.max_cycles = max_cycles;
    return options;
  }
};

TEST_P(Watchdog, ends_a_run_in_which_no_command_completes) {
  const std::string program = std::string(kLoad) + ".fence\n";
  EXPECT_EQ(outcome("array.dim=16", program, with(10'000)), outcome("array.dim=16", program, with(0)));
  const std::string error = outcome("array.dim=16", program, with(300));
  EXPECT_EQ(error.find("misuse: cycle "), 0u) << error;
  EXPECT_NE(error.find("livelock: no command has been issued or completed for 300 cycles"), std::string::npos) << error;
  EXPECT_NE(error.find("waits at a fence"), std::string::npos) << error;
  EXPECT_NE(error.find("load_controller"), std::string::npos) << error;
}

TEST_P(Watchdog, does_not_mind_a_gap_or_slow_progress) {
  EXPECT_EQ(outcome("array.dim=16", std::string(kLoad) + ".gap 50000\n.fence\n", with(2000)).find("cycles"), 6u);
  std::string many = kLoad;
  for (int i = 0; i < 20; ++i) many += "mvin dram=0x80001000 local=0 cols=16 rows=16\n.fence\n";
  EXPECT_NE(outcome("array.dim=16", many, with(2000)).find(" cycles"), std::string::npos);
}

// A host operation on shared memory sends its accesses at once and then waits for all of them; each line that arrives is progress.
TEST_P(Watchdog, does_not_mind_a_host_operation_whose_lines_keep_coming) {
  isa::HostOperation operation;
  operation.kind = isa::HostOperationKind::kSoftmax;
  operation.rows = 64;
  operation.columns = 256;
  operation.in = {Memory::kDefaultBase, 1024};
  operation.out = {Memory::kDefaultBase + 0x10000, 1024};
  isa::Program program;
  program.host_ops.push_back(encode(operation));
  program.items.push_back({isa::ItemKind::kHostOp, {}, 0});
  const auto run = [&](Cycle watchdog) {
    return in_process([&] {
      hw::MachineParams params;
      params.memory.model = hw::MemoryModel::kSoc;
      hw::MachineOptions options;
      options.scheduler = GetParam();
      options.watchdog = watchdog;
      options.max_cycles = 1'000'000;
      Memory memory;
      return fmt::format("{} cycles", hw::Machine(params, memory, options).run(program).cycles);
    });
  };
  EXPECT_EQ(run(2000), run(0));
  EXPECT_NE(run(10).find("misuse: "), std::string::npos);   // shorter than the wait for one line
}

TEST_P(Watchdog, names_the_limit_that_was_reached) {
  const std::string error = outcome("array.dim=16", std::string(kLoad) + ".fence\n", with(10'000, 500));
  EXPECT_NE(error.find("the program is not done after 500 cycles"), std::string::npos) << error;
}

// The preload waits for a compute that never comes; the fence does not wait for it, so that it is the next command that is stuck behind it.
TEST_P(Watchdog, a_deadlock_is_no_livelock) {
  std::string text = "config_ex dataflow=1 a_stride=1 acc_scale=1f c_stride=1\n";
  for (int i = 0; i < 40; ++i) text += "preload local=0 rows=16 cols=16 out_local=0x80000000 out_rows=16 out_cols=16\n";
  const std::string error = outcome("array.dim=16", text + ".fence\n", with(100'000));
  EXPECT_NE(error.find("deadlock: nothing can happen any more"), std::string::npos) << error;
  EXPECT_NE(error.find("offers command"), std::string::npos) << error;
}

INSTANTIATE_TEST_SUITE_P(EveryScheduler, Watchdog, testing::Values(SchedulerMode::kFast, SchedulerMode::kNative, SchedulerMode::kEveryCycle));

}  // namespace
}  // namespace systole
