// Intervals of operations and cycles of completions, relative to the first operand fetch, of small streams whose cycles are known from the RTL of
// revision 2025 (response_queue = 1). Revision 2023 has three cycles more between a read and its data.
#include <gtest/gtest.h>

#include <map>

#include "tests/module/execute/execute_bench.h"

namespace systole::hw {
namespace {

constexpr unsigned kBankRows = 4096;
constexpr std::uint32_t sp(unsigned bank, unsigned row = 0) { return bank * kBankRows + row; }

struct Result {
  std::vector<std::pair<Cycle, Cycle>> operations;   // first and last cycle
  std::map<unsigned, Cycle> done;                    // by place in the stream, without the leading config
  std::vector<Cycle> requests;
  std::vector<Cycle> writes;
};

Result run(const std::vector<IssuedCommand>& commands, int response_queue, const ExConfig& first = {}, const std::vector<Cycle>& gaps = {},
           const Disturbance& disturbance = {}) {
  MachineParams params;
  params.scratchpad.response_queue = response_queue;
  ExecuteBench bench(params);
  std::vector<IssuedCommand> all{config(first)};
  all.insert(all.end(), commands.begin(), commands.end());
  // The config runs in cycle 2, long before the rest.
  std::vector<Cycle> at{0};
  Cycle next = 20;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    next += i < gaps.size() ? gaps[i] : 0;
    at.push_back(next);
  }
  // The second command is visible; the transpose unroller waits one cycle for it.
  const Cycle origin = 20 + 3 + (first.b_transpose && first.weight_stationary ? 1 : 0);
  const Disturbance shifted = disturbance ? Disturbance([&](Cycle now) { return now >= origin ? disturbance(now - origin) : 0; }) : Disturbance{};
  const Events& events = bench.run(all, at, shifted);
  EXPECT_EQ(events.starts.at(0), origin);
  Result result;
  Cycle begin = events.starts.at(0);
  for (std::size_t i = 0; i < events.operations.size(); ++i) {
    // An operation whose predecessor ended in the cycle before starts there even when the control queue is full.
    if (i != 0) begin = events.starts[i];
    result.operations.emplace_back(begin - origin, events.operations[i] - origin);
  }
  for (const Done& done : events.done) {
    if (done.command != 0) result.done[done.command - 1] = done.at - origin;
  }
  for (const Cycle at_cycle : events.requests) result.requests.push_back(at_cycle - origin);
  for (const Write& write : events.writes) result.writes.push_back(write.at - origin);
  return result;
}

using Ops = std::vector<std::pair<Cycle, Cycle>>;
using DoneAt = std::map<unsigned, Cycle>;

struct Tile {
  Block d{sp(1)};
  Block c{kAcc};
  Block a{sp(0)};
  Block b{};
  bool flip = true;
};

std::vector<IssuedCommand> pairs(unsigned count, const Tile& t = {}) {
  std::vector<IssuedCommand> result;
  for (unsigned i = 0; i < count; ++i) {
    result.push_back(preload(t.d, t.c));
    result.push_back(compute(t.flip, t.a, t.b));
  }
  return result;
}

// Computes complete when their last row is fetched, preloads when their result is written: `later` cycles more in revision 2023.
class PublishedTiming : public testing::TestWithParam<int> {
 protected:
  [[nodiscard]] int queue() const { return GetParam(); }
  [[nodiscard]] Cycle later() const { return GetParam() != 0 ? 0 : 3; }
};

TEST_P(PublishedTiming, OnePair) {
  const Result r = run(pairs(1), queue());
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 31}}));
  EXPECT_EQ(r.done, (DoneAt{{0, 66 + later()}, {1, 32}}));
}

TEST_P(PublishedTiming, FourPairsOverlap) {
  const Result r = run(pairs(4), queue());
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 31}, {32, 47}, {48, 63}, {64, 79}}));
  EXPECT_EQ(r.done, (DoneAt{{1, 32}, {3, 48}, {5, 64}, {7, 80}, {0, 66 + later()}, {2, 82 + later()}, {4, 98 + later()}, {6, 114 + later()}}));
}

TEST_P(PublishedTiming, AAndDInOneBankTakeTwoCyclesPerRow) {
  Tile t;
  t.d = {sp(0)};
  const Result r = run(pairs(4, t), queue());
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 47}, {48, 79}, {80, 111}, {112, 127}}));
  EXPECT_EQ(r.done, (DoneAt{{1, 48}, {3, 80}, {5, 112}, {7, 128}, {0, 82 + later()}, {2, 114 + later()}, {4, 146 + later()}, {6, 162 + later()}}));
}

TEST_P(PublishedTiming, AAndBInOneBank) {
  Tile t;
  t.b = {sp(0)};
  const Result r = run(pairs(3, t), queue());
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 47}, {48, 79}, {80, 111}}));
  EXPECT_EQ(r.done, (DoneAt{{1, 48}, {3, 80}, {5, 112}, {0, 82 + later()}, {2, 114 + later()}, {4, 146 + later()}}));
}

TEST_P(PublishedTiming, BAndDInOneBank) {
  Tile t;
  t.b = {sp(1)};
  const Result r = run(pairs(3, t), queue());
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 47}, {48, 79}, {80, 95}}));
  EXPECT_EQ(r.done, (DoneAt{{1, 48}, {3, 80}, {5, 96}, {0, 82 + later()}, {2, 114 + later()}, {4, 130 + later()}}));
}

TEST_P(PublishedTiming, AllOperandsInOneBank) {
  const Result r = run(pairs(3, Tile{{sp(0)}, {kAcc}, {sp(0)}, {sp(0)}, true}), queue());
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 63}, {64, 111}, {112, 143}}));
  EXPECT_EQ(r.done, (DoneAt{{1, 64}, {3, 112}, {5, 144}, {0, 98 + later()}, {2, 146 + later()}, {4, 178 + later()}}));
}

TEST_P(PublishedTiming, BankIsChosenRowByRow) {
  std::vector<IssuedCommand> commands = pairs(3);
  commands[3] = compute(true, {sp(1) - 8}, {});
  const Result r = run(commands, queue());
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 31}, {32, 55}, {56, 71}}));
  EXPECT_EQ(r.done, (DoneAt{{1, 32}, {3, 56}, {5, 72}, {0, 66 + later()}, {2, 90 + later()}, {4, 106 + later()}}));
}

TEST_P(PublishedTiming, ShortComputesTakeFourCycles) {
  std::vector<IssuedCommand> commands = pairs(1);
  for (int i = 0; i < 3; ++i) {
    commands.push_back(preload({}, {kAcc, 16, 1}));
    commands.push_back(compute(false, {sp(0), 16, 1}, {}));
  }
  commands[0] = preload({sp(1)}, {kAcc, 16, 1});
  commands[1] = compute(true, {sp(0), 16, 1}, {});
  const Result r = run(commands, queue());
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 19}, {20, 23}, {24, 27}, {28, 31}}));
  EXPECT_EQ(r.done, (DoneAt{{1, 20}, {3, 24}, {5, 28}, {7, 32}, {0, 54 + later()}, {2, 58 + later()}, {4, 62 + later()}, {6, 66 + later()}}));
  EXPECT_EQ(r.writes, (std::vector<Cycle>{51 + later(), 55 + later(), 59 + later(), 63 + later()}));
}

// Short computes run into the limit of the tag queue.
std::vector<IssuedCommand> short_computes(unsigned rows) {
  std::vector<IssuedCommand> commands{preload({sp(1)}, {kAcc, 16, rows}), compute(true, {sp(0), 16, rows}, {})};
  for (int i = 0; i < 23; ++i) {
    commands.push_back(preload({}, {kAcc, 16, rows}));
    commands.push_back(compute(false, {sp(0), 16, rows}, {}));
  }
  return commands;
}

TEST(TagQueue, LimitsComputesOfFourRows) {
  const Result r = run(short_computes(4), 1);
  const std::vector<Cycle> requests{2, 18, 22, 26, 30, 34, 55, 59, 63, 67, 71, 92, 96, 100, 104, 108, 129};
  ASSERT_GE(r.requests.size(), requests.size());
  EXPECT_EQ(std::vector<Cycle>(r.requests.begin(), r.requests.begin() + static_cast<long>(requests.size())), requests);
  const std::vector<Cycle> ends{15, 19, 23, 27, 31, 35, 39, 57, 61, 65, 69, 73, 94, 98};
  for (std::size_t i = 0; i < ends.size(); ++i) EXPECT_EQ(r.operations[i].second, ends[i]) << i;
}

TEST(TagQueue, LimitsComputesOfSixRows) {
  const Result r = run(short_computes(6), 1);
  const std::vector<Cycle> ends{15, 21, 27, 33, 39, 45, 57, 63};
  for (std::size_t i = 0; i < ends.size(); ++i) EXPECT_EQ(r.operations[i].second, ends[i]) << i;
  for (std::size_t i = 10; i + 5 < r.requests.size() - 5; ++i) EXPECT_EQ(r.requests[i + 5] - r.requests[i], 39u) << i;
}

TEST_P(PublishedTiming, PreloadWithoutWeightsTakesFourCycles) {
  const Result r = run({preload({}, {kAcc}), compute(false, {sp(0)}, {})}, queue());
  EXPECT_EQ(r.operations, (Ops{{0, 3}, {4, 19}}));
  EXPECT_EQ(r.done, (DoneAt{{0, 54 + later()}, {1, 20}}));
}

TEST_P(PublishedTiming, PreloadWithoutDestinationCompletesAtOnce) {
  const Result r = run({preload({sp(1)}, {}), compute(true, {sp(0)}, {})}, queue());
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 31}}));
  EXPECT_EQ(r.done, (DoneAt{{0, 16}, {1, 32}}));
}

TEST_P(PublishedTiming, RealWeightsTakeAllRows) {
  const Result r = run(pairs(3, Tile{{sp(1)}, {kAcc, 16, 5}, {sp(0), 16, 5}, {}, true}), queue());
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 31}, {32, 47}, {48, 52}}));
  EXPECT_EQ(r.done, (DoneAt{{1, 32}, {3, 48}, {5, 53}, {0, 66 + later()}, {2, 82 + later()}, {4, 87 + later()}}));
}

TEST(ConfigEx, DrainsAndFlushesTheArray) {
  std::vector<IssuedCommand> commands = pairs(1);
  commands.push_back(config({}));
  for (const IssuedCommand& c : pairs(1)) commands.push_back(c);
  const Result r = run(commands, 1);
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 31}, {70, 85}, {86, 101}}));
  EXPECT_EQ(r.requests, (std::vector<Cycle>{2, 18, 34, 52, 72, 88}));
  EXPECT_EQ(r.done, (DoneAt{{1, 32}, {0, 66}, {2, 69}, {4, 102}, {3, 136}}));
}

TEST_P(PublishedTiming, ReadAfterWriteWaitsForTheResult) {
  std::vector<IssuedCommand> commands = pairs(2);
  commands[0] = preload({sp(1)}, {sp(2, 64)});
  commands[3] = compute(true, {sp(2, 64)}, {});
  const Result r = run(commands, queue());
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 31}, {67 + later(), 82 + later()}, {83 + later(), 98 + later()}}));
  EXPECT_EQ(r.done, (DoneAt{{1, 32}, {0, 66 + later()}, {3, 99 + later()}, {2, 133 + 2 * later()}}));
}

TEST(WriteBack, IntoTheBankOfAStopsItsFetch) {
  const Result r = run(pairs(4, Tile{{sp(1)}, {sp(0, 100)}, {sp(0)}, {}, true}), 1);
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 31}, {32, 47}, {48, 98}, {99, 114}}));
  EXPECT_EQ(r.done, (DoneAt{{1, 32}, {3, 48}, {5, 99}, {7, 115}, {0, 66}, {2, 82}, {4, 133}, {6, 149}}));
}

TEST(OutputStationary, OnePairIsFlushedOut) {
  ExConfig os;
  os.weight_stationary = false;
  const Result r = run(pairs(1), 1, os);
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 31}}));
  EXPECT_EQ(r.requests, (std::vector<Cycle>{2, 18, 34, 52, 70}));
  EXPECT_EQ(r.done, (DoneAt{{1, 32}, {0, 82}}));
}

TEST(OutputStationary, FourPairs) {
  ExConfig os;
  os.weight_stationary = false;
  const Result r = run(pairs(4), 1, os);
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 31}, {32, 47}, {48, 63}, {64, 79}}));
  EXPECT_EQ(r.requests, (std::vector<Cycle>{2, 18, 34, 50, 66, 82, 100, 118}));
  EXPECT_EQ(r.done, (DoneAt{{1, 32}, {3, 48}, {5, 64}, {7, 80}, {0, 82}, {2, 98}, {4, 114}, {6, 130}}));
}

TEST(OutputStationary, SumsStayInPlace) {
  ExConfig os;
  os.weight_stationary = false;
  const Result r = run({preload({sp(1)}, {}), compute(true, {sp(0)}, {}), preload({}, {}), compute(false, {sp(0)}, {}), preload({}, {kAcc}),
                        compute(false, {sp(0)}, {})},
                       1, os);
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 31}, {32, 47}, {48, 63}}));
  EXPECT_EQ(r.requests, (std::vector<Cycle>{2, 18, 34, 50, 66, 84, 102}));
  EXPECT_EQ(r.writes.front(), 99u);
  EXPECT_EQ(r.writes.back(), 114u);
  EXPECT_EQ(r.done, (DoneAt{{0, 16}, {1, 32}, {2, 33}, {3, 48}, {5, 64}, {4, 114}}));
}

TEST_P(PublishedTiming, TransposedWeightsPassTheTransposerFirst) {
  ExConfig transposed;
  transposed.b_transpose = true;
  const Result r = run(pairs(3, Tile{{sp(1)}, {kAcc}, {sp(0)}, {}, true}), queue(), transposed);
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 31}, {32, 47}, {48, 63}, {64, 79}, {80, 95}, {96, 111}}));
  EXPECT_EQ(r.done, (DoneAt{{1, 48}, {3, 80}, {5, 112}, {0, 82 + later()}, {2, 114 + later()}, {4, 146 + later()}}));
}

TEST_P(PublishedTiming, TransposedAIsFetchedWithThePreload) {
  ExConfig transposed;
  transposed.a_transpose = true;
  const Result r = run(pairs(3), queue(), transposed);
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 31}, {32, 47}, {48, 63}}));
  EXPECT_EQ(r.done, (DoneAt{{1, 32}, {3, 48}, {5, 64}, {0, 66 + later()}, {2, 82 + later()}, {4, 98 + later()}}));
}

TEST_P(PublishedTiming, ScratchpadWritesDelayTheRowsTheyHit) {
  const Result r = run(pairs(6), queue(), {}, {}, [](Cycle now) { return now == 42 || now == 44 ? 1u : 0u; });
  EXPECT_EQ(r.operations, (Ops{{0, 15}, {16, 31}, {32, 49}, {50, 65}, {66, 81}, {82, 97}, {98, 113}}));
}

INSTANTIATE_TEST_SUITE_P(Revisions, PublishedTiming, testing::Values(0, 1),
                         [](const auto& parameter) { return parameter.param != 0 ? "of2025" : "of2023"; });

}  // namespace
}  // namespace systole::hw
