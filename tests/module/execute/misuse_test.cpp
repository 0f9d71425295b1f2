// Programs that the RTL does not survive, or survives with a result nobody means.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/base/errors.h"
#include "tests/module/execute/execute_bench.h"

namespace systole::hw {
namespace {

std::string error_of(const std::vector<IssuedCommand>& commands) {
  ExecuteBench bench{MachineParams{}};
  try {
    bench.run(commands);
  } catch (const ModelError& error) {
    return error.what();
  }
  return {};
}

TEST(Misuse, OperandInTheAccumulatorNamesTheInstruction) {
  const std::string text = error_of({config({}), preload({64}, {kAcc}), compute(true, {kAcc | 32}, {})});
  EXPECT_NE(text.find("operand A lies in the accumulator"), std::string::npos) << text;
  EXPECT_NE(text.find("compute_flip"), std::string::npos) << text;
  EXPECT_NE(text.find("command 2"), std::string::npos) << text;
}

TEST(Misuse, RowsWithoutColumns) {
  EXPECT_NE(error_of({config({}), preload({64, 0, 16}, {kAcc}), compute(true, {0}, {})}).find("operand D has 16 rows of 0 columns"), std::string::npos);
}

TEST(Misuse, MoreRowsThanTheArrayHas) {
  EXPECT_NE(error_of({config({}), preload({64}, {kAcc}), compute(true, {0, 16, 17}, {})}).find("17 rows, but the array has 16"), std::string::npos);
}

TEST(Misuse, GarbageAWithAResultIsAnError) {
  EXPECT_NE(error_of({config({}), preload({64}, {kAcc}), compute(true, {}, {})}).find("operand A is the garbage address"), std::string::npos);
}

TEST(Misuse, GarbageAWithoutRowsIsZero) { EXPECT_EQ(error_of({config({}), preload({64}, {kAcc}), compute(true, {kGarbage, 0, 0}, {})}), ""); }

TEST(Misuse, GarbageAWithoutResultIsHarmless) { EXPECT_EQ(error_of({config({}), preload({64}, {}), compute(true, {}, {})}), ""); }

TEST(Misuse, TwoOperandsForOneTransposer) {
  ExConfig both;
  both.a_transpose = true;
  both.b_transpose = true;
  EXPECT_NE(error_of({config(both)}).find("the only transposer"), std::string::npos);
}

// A config behind a compute that is shorter than the read latency: the array exchanges its registers when the flush says, not the compute.
std::vector<IssuedCommand> short_compute_and_config(unsigned rows) {
  return {config({}), preload({0}, {kAcc, 16, rows}), compute(true, {64, 16, rows}, {}), config({})};
}

TEST(Hazard, ShortComputeBeforeAFlushKeepsTheOldWeightsAndWarns) {
  ExecuteBench bench{MachineParams{}};
  for (std::uint32_t row = 0; row < 128; ++row) std::fill_n(bench.plane().scratchpad_row(row), 16, std::int8_t{1});
  const Events& events = bench.run(short_compute_and_config(4));
  ASSERT_EQ(events.hazards.size(), 1u);
  EXPECT_EQ(events.hazards[0].sequence, 2u);
  EXPECT_NE(events.hazards[0].what.find("previous weights"), std::string::npos);
  EXPECT_EQ(bench.plane().accumulator_row(0)[0], 0);
}

TEST(Hazard, OneRowMoreIsSafe) {
  ExecuteBench bench{MachineParams{}};
  for (std::uint32_t row = 0; row < 128; ++row) std::fill_n(bench.plane().scratchpad_row(row), 16, std::int8_t{1});
  const Events& events = bench.run(short_compute_and_config(5));
  EXPECT_TRUE(events.hazards.empty());
  EXPECT_EQ(bench.plane().accumulator_row(0)[0], 16);
}

// Every second pair keeps its weights.
std::vector<IssuedCommand> transposed_weights(unsigned pairs) {
  ExConfig transposed;
  transposed.b_transpose = true;
  std::vector<IssuedCommand> commands{config(transposed)};
  for (unsigned i = 0; i < pairs; ++i) {
    const bool keep = i % 2 != 0;
    commands.push_back(preload(keep ? Block{} : Block{0}, {kAcc + 16 * i}));
    commands.push_back(compute(!keep, {4096}, {}));
  }
  return commands;
}

TEST(Hazard, ACommandQueueOfFourLosesTransposedWeightsAndWarns) {
  MachineParams params;
  params.queue.execute = 4;
  ExecuteBench bench(params);
  const Events& events = bench.run(transposed_weights(6));
  ASSERT_FALSE(events.hazards.empty());
  EXPECT_NE(events.hazards[0].what.find("command queue is too short"), std::string::npos);
}

TEST(Hazard, ACommandQueueOfFiveKeepsTransposedWeights) {
  MachineParams params;
  params.queue.execute = 5;
  ExecuteBench bench(params);
  EXPECT_TRUE(bench.run(transposed_weights(6)).hazards.empty());
}

// The last rows of a compute are still in the control queue when a config_ex without anything to wait for changes the transposes.
TEST(Hazard, AConfigThatOvertakesTheLastRowsCutsThemOff) {
  ExConfig os;
  os.weight_stationary = false;
  ExConfig b_transposed = os;
  b_transposed.a_transpose = true;
  b_transposed.b_transpose = true;
  ExecuteBench bench{MachineParams{}};
  const Events& events = bench.run({config(os), preload({0}, {}), compute(true, {4096}, {8192}), config(b_transposed)});
  ASSERT_EQ(events.hazards.size(), 1u);
  EXPECT_EQ(events.hazards[0].sequence, 2u);
  EXPECT_NE(events.hazards[0].what.find("these rows become zero"), std::string::npos);
}

// Two operations of four rows do not fill a control queue of nine entries: the flush behind them still has the dataflow from before.
std::vector<Hazard> switch_of_dataflow(int read_delay) {
  MachineParams params;
  params.array.dim = 4;
  params.scratchpad.read_delay = read_delay;
  ExConfig os;
  os.weight_stationary = false;
  ExecuteBench bench(params);
  std::vector<IssuedCommand> commands{config({})};
  for (int i = 0; i < 4; ++i) {
    commands.push_back(preload({0, 4, 4}, {kAcc, 4, 4}));
    commands.push_back(compute(true, {64, 4, 4}, {}));
  }
  commands.push_back(config(os));
  commands.push_back(preload({}, {kAcc, 4, 4}));
  commands.push_back(compute(true, {64, 4, 4}, {128, 4, 4}));
  return bench.run(commands).hazards;
}

TEST(Hazard, AFlushBehindAChangeOfDataflowStillHasTheOldOneAndWarns) {
  const std::vector<Hazard> hazards = switch_of_dataflow(8);
  const auto stale = std::find_if(hazards.begin(), hazards.end(), [](const auto& h) { return h.what.find("still has the dataflow") != std::string::npos; });
  ASSERT_NE(stale, hazards.end());
  EXPECT_EQ(stale->sequence, 11u);
}

TEST(Hazard, AFlushBehindEnoughRowsHasTheNewDataflow) {
  for (const Hazard& hazard : switch_of_dataflow(4)) EXPECT_EQ(hazard.what.find("still has the"), std::string::npos) << hazard.what;
}

TEST(Ledger, AccountsForEveryCycle) {
  ExecuteBench bench{MachineParams{}};
  std::vector<IssuedCommand> commands{config({})};
  for (int i = 0; i < 4; ++i) {
    commands.push_back(preload({0}, {kAcc}));
    commands.push_back(compute(true, {64}, {}));
  }
  bench.run(commands);
  const std::vector<std::uint64_t> cycles = bench.controller().ledger().totals(bench.end());
  const auto of = [&](ExecuteState state) { return cycles[static_cast<std::size_t>(state)]; };
  // One config, two preloads or computes alone, and three of both: operands of the latter share a bank.
  EXPECT_EQ(of(ExecuteState::kBusy), 1u + 5 * 16);
  EXPECT_EQ(of(ExecuteState::kBankConflict), 3u * 16);
  EXPECT_EQ(of(ExecuteState::kIdle) + of(ExecuteState::kBusy) + of(ExecuteState::kBankConflict) + of(ExecuteState::kWaitCommand), bench.end());
  const ExecuteCounters& counters = bench.controller().counters();
  EXPECT_EQ(counters.computes, 4u);
  EXPECT_EQ(counters.preloads, 4u);
  EXPECT_EQ(counters.operations, 5u);
  EXPECT_EQ(counters.overlapped, 3u);
  EXPECT_EQ(counters.macs, 4u * 16 * 16 * 16);
  EXPECT_EQ(counters.operand_rows, 8u * 16);
}

TEST(Ledger, AnIdleArrayCostsNothing) {
  ExecuteBench bench{MachineParams{}};
  bench.run({config({})});
  EXPECT_EQ(bench.controller().state_text(), "");
}

}  // namespace
}  // namespace systole::hw
