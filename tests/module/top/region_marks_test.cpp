// A region may begin while the machine is at work: what is announced as a run must be in the accounts of the regions in which its rows move,
// as if each row went its way by itself.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "hw/top/machine.h"
#include "isa/assembler.h"
#include "sim/base/process_pool.h"
#include "tests/support/run_text.h"

namespace systole {
namespace {

class RegionMarks : public testing::TestWithParam<std::tuple<hw::MemoryModel, SchedulerMode>> {
 protected:
  // Rows of 64 bytes come in, while marks follow one another.
  static std::string program() {
    std::string source = "config_ld scale=1f stride=64 block_stride=16\nconfig_st stride=64\n";
    for (int load = 0; load < 6; ++load) source += fmt::format("mvin dram={:#x} local={:#x} cols=64 rows=12\n", 0x80001000 + load * 0x400, load * 64);
    for (int mark = 0; mark < 150; ++mark) source += fmt::format(".region \"{}\"\n.gap {}\n", mark, 1 + mark % 4);
    source += "mvout dram=0x80020000 local=0 cols=64 rows=16\n.fence\n";
    return source;
  }
  static std::string run(Granularity granularity) {
    std::string text;
    run_tasks(1, 1, [&](std::size_t) {
      hw::MachineParams params;
      params.memory.model = std::get<hw::MemoryModel>(GetParam());
      Memory memory;
      hw::MachineOptions options;
      options.scheduler = std::get<SchedulerMode>(GetParam());
      options.granularity = granularity;
      options.max_cycles = 100'000;
      return test::run_text(hw::Machine(params, memory, options).run(isa::assemble(program(), "case")));
    }, [&](std::size_t, const TaskResult& task) { text = task.text; });
    return text;
  }
};

TEST_P(RegionMarks, between_rows_that_move_as_one_find_the_accounts_of_single_rows) {
  const std::string rows = run(Granularity::kRow);
  EXPECT_NE(rows.find("region "), std::string::npos) << rows;
  EXPECT_EQ(test::first_difference(rows, run(Granularity::kRuns)), "");
}

INSTANTIATE_TEST_SUITE_P(EveryMemory, RegionMarks,
                         testing::Combine(testing::Values(hw::MemoryModel::kIdeal, hw::MemoryModel::kSoc), testing::Values(SchedulerMode::kFast, SchedulerMode::kEveryCycle)));

}  // namespace
}  // namespace systole
