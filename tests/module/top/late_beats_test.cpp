// The L2 acknowledges a Put with its first beat (SourceD.scala), and the writer holds its later beats back while every transaction id is taken: with
// two ids a fence can pass while the last beats are still on their way.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "hw/top/machine.h"
#include "isa/assembler.h"
#include "sim/base/process_pool.h"

namespace systole {
namespace {

constexpr std::uint64_t kFrom = 0x80001000, kTo = 0x80010021, kBytes = 64;

class LateBeats : public testing::TestWithParam<SchedulerMode> {
 protected:
  // What each fence sees, and what memory holds after the run; in a process of its own.
  static std::string run(const std::string& behind_store) {
    std::string text;
    run_tasks(1, 1, [&](std::size_t) { return run_here(behind_store); }, [&](std::size_t, const TaskResult& task) { text = task.text; });
    return text;
  }

 private:
  static std::string run_here(const std::string& behind_store) {
    const std::string source = fmt::format(
        "config_ld scale=1f stride=64 block_stride=16\nmvin dram={:#x} local=0 cols=64 rows=1\nconfig_st stride=64\nmvout dram={:#x} local=0 cols=64 rows=1\n.fence\n", kFrom, kTo);
    const isa::Program program = isa::assemble(source + behind_store, "case");
    hw::MachineParams params;
    params.memory.model = hw::MemoryModel::kSoc;
    params.dma.max_in_flight = 2;
    Memory memory;
    for (std::uint64_t i = 0; i < kBytes; ++i) *memory.at(kFrom + i, 1) = static_cast<std::uint8_t>(i + 1);
    const auto equal = [&] { return std::memcmp(memory.at(kTo, kBytes), memory.at(kFrom, kBytes), kBytes) == 0 ? "equal" : "different"; };
    hw::MachineOptions options;
    options.scheduler = GetParam();
    options.max_cycles = 100'000;
    std::string text;
    options.at_fence = [&](std::size_t) { text += fmt::format("fence: {}, ", equal()); };
    const hw::MachineResult result = hw::Machine(params, memory, options).run(program);
    return text + fmt::format("end: {}, {} cycles", equal(), result.cycles);
  }
};

TEST_P(LateBeats, behind_the_last_fence_arrive_and_cost_no_cycle) {
  const std::string text = run("");
  EXPECT_EQ(text.find("fence: different, fence: equal, end: equal, "), 0u) << text;   // the first call is the program's start
  // A fence that finds nothing to wait for ends in the cycle behind.
  const std::string longer = run(".fence\n");
  const auto cycles = [](const std::string& t) { return std::stoul(t.substr(t.rfind(',') + 2)); };
  EXPECT_EQ(cycles(longer), cycles(text) + 1) << text << '\n' << longer;
}

TEST_P(LateBeats, are_part_of_what_the_program_between_two_fences_stored) {
  const std::string text = run(fmt::format("mvin dram={:#x} local=0 cols=64 rows=1\nmvout dram={:#x} local=0 cols=64 rows=1\n.fence\n", kTo, kTo + 0x1000));
  EXPECT_EQ(text.find("fence: different, fence: equal, fence: equal, end: equal, "), 0u) << text;
}

INSTANTIATE_TEST_SUITE_P(EveryScheduler, LateBeats, testing::Values(SchedulerMode::kFast, SchedulerMode::kNative, SchedulerMode::kEveryCycle));

}  // namespace
}  // namespace systole
