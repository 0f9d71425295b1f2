// Performance-counter commands: they take their cycles, and the run says that nothing was counted.
#include <gtest/gtest.h>

#include <string>

#include "isa/trace.h"
#include "sim/config/trace_machine.h"
#include "sim/replay/replay.h"

namespace systole {
namespace {

replay::ReplayResult run(const std::string& commands) {
  const isa::Trace trace = isa::parse_trace("# systole-trace 1\nmem latency=20 beat_bytes=16\n" + commands + "fence\n", "case");
  return replay::replay_trace(trace, config::trace_machine(trace).params, {});
}

TEST(CounterCommands, are_reported_as_counting_nothing) {
  const auto result = run("cmd 126 8 0\ncmd 126 18 0\ncmd 126 0 0\n");
  ASSERT_EQ(result.run.warnings.size(), 1u);
  EXPECT_EQ(result.run.warnings[0].find("3 counter commands take their cycles"), 0u) << result.run.warnings[0];
  EXPECT_NE(result.run.warnings[0].find("nothing is counted"), std::string::npos);
}

TEST(CounterCommands, are_not_mentioned_without_one) { EXPECT_TRUE(run("cmd 7 0 0\n").run.warnings.empty()); }

}  // namespace
}  // namespace systole
