// The closed formulas of hw/sfu/SFU.md against the machine: cycles of LayerNorm and softmax for one row of n elements.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "isa/local_address.h"
#include "isa/trace.h"
#include "sim/config/trace_machine.h"
#include "sim/replay/replay.h"

namespace systole {
namespace {

using isa::NormCommand;

constexpr int kDim = 16;
constexpr int kBlocksPerMvout = 4;

struct Case {
  bool softmax;
  int elements;
  int latency;
  int lanes = 0;
};

// A row in the accumulator, block b in row 16 b, then the three passes of statistics id 0 between two fences.
std::string stream(const Case& c) {
  const int blocks = (c.elements + kDim - 1) / kDim;
  std::string text = fmt::format("# systole-trace 1\nmachine sfu.normaliser=1 sfu.lanes={}\n", c.lanes) + fmt::format("mem latency={} beat_bytes=16\n", c.latency);
  text += "fill 80001000 65536 int32 -3000 3000 77\n";
  text += "cmd 0 3f80000000100101 40\n";
  for (int b = 0; b < blocks; ++b) {
    text += fmt::format("cmd 2 {:x} {:x}\n", 0x80001000 + 64 * b, std::uint64_t{1} << 48 | std::uint64_t{kDim} << 32 | 0x80000000u | static_cast<unsigned>(kDim * b));
  }
  text += "fence\n";
  const unsigned activation = c.softmax ? 0 : 2;   // low bits of softmax (4) and LayerNorm (2)
  text += fmt::format("cmd 0 {:x} 3c00000000000040\n", 2u | activation << 2);
  if (c.softmax) text += "cmd 0 48300010003 28ba000008ce\ncmd 0 3800050003 28ba000008ce\n";
  text += "fence\n";
  const std::array<std::array<NormCommand, 2>, 3> layer_norm = {{{NormCommand::kSum, NormCommand::kMean},
                                                                 {NormCommand::kVariance, NormCommand::kInvStddev},
                                                                 {NormCommand::kReset, NormCommand::kReset}}};
  const std::array<std::array<NormCommand, 2>, 3> softmax = {{{NormCommand::kMax, NormCommand::kMax},
                                                              {NormCommand::kSumExp, NormCommand::kInvSumExp},
                                                              {NormCommand::kReset, NormCommand::kReset}}};
  for (const auto& pass : c.softmax ? softmax : layer_norm) {
    text += "cmd 0 20003 0\n";   // statistics id 0
    for (int first = 0; first < blocks; first += kBlocksPerMvout) {
      const bool last = first + kBlocksPerMvout >= blocks;
      const int columns = last ? c.elements - kDim * first : kDim * kBlocksPerMvout;
      const unsigned local = 0x80000000u | static_cast<unsigned>(pass[last ? 1 : 0]) << isa::LocalAddress::kNormCommandShift | static_cast<unsigned>(kDim * first);
      text += fmt::format("cmd 3 {:x} {:x}\n", 0x80040000 + kDim * first, std::uint64_t{1} << 48 | static_cast<std::uint64_t>(columns) << 32 | local);
    }
  }
  return text + "fence\n";
}

std::uint64_t formula(const Case& c) {
  constexpr std::array<int, kBlocksPerMvout> kLayerNormRest = {0, 3, 7, 12};
  constexpr std::array<int, kBlocksPerMvout> kSoftmaxRest = {0, 4, 9, 15};
  constexpr int kFormulaLatency = 20;
  const int blocks = (c.elements + kDim - 1) / kDim;
  const auto rest = static_cast<std::size_t>(blocks % kBlocksPerMvout);
  const int cycles = c.softmax ? 70 + 19 * (blocks / kBlocksPerMvout) + kSoftmaxRest[rest] : 127 + 15 * (blocks / kBlocksPerMvout) + kLayerNormRest[rest];
  // A block enters narrower trees in parts, in both of the passes that end in the trees.
  const int parts = c.lanes == 0 ? 1 : (c.elements + c.lanes - 1) / c.lanes;
  return static_cast<std::uint64_t>(cycles + c.latency - kFormulaLatency + 2 * (parts - 1));
}

class RowCycles : public testing::TestWithParam<Case> {};

TEST_P(RowCycles, are_those_of_the_closed_formula) {
  const isa::Trace trace = isa::parse_trace(stream(GetParam()), "row");
  const auto result = replay::replay_trace(trace, config::trace_machine(trace).params, {});
  ASSERT_EQ(result.run.fences.size(), 3u);
  EXPECT_EQ(result.run.fences[2] - result.run.fences[1] - 1, formula(GetParam()));
  EXPECT_TRUE(result.run.warnings.empty());
}

INSTANTIATE_TEST_SUITE_P(LayerNorm, RowCycles,
                         testing::Values(Case{false, 16, 20}, Case{false, 48, 20}, Case{false, 64, 20}, Case{false, 100, 20},
                                         Case{false, 256, 60}, Case{false, 768, 20}, Case{false, 1024, 4}));
INSTANTIATE_TEST_SUITE_P(Softmax, RowCycles,
                         testing::Values(Case{true, 16, 20}, Case{true, 48, 20}, Case{true, 64, 20}, Case{true, 100, 20}, Case{true, 256, 60},
                                         Case{true, 512, 20}, Case{true, 1024, 4}));
INSTANTIATE_TEST_SUITE_P(Lanes, RowCycles,
                         testing::Values(Case{false, 16, 20, 16}, Case{false, 16, 20, 4}, Case{false, 16, 20, 1}, Case{false, 5, 20, 4},
                                         Case{true, 16, 20, 16}, Case{true, 16, 20, 4}, Case{true, 16, 20, 1}, Case{true, 7, 20, 2}));

}  // namespace
}  // namespace systole
