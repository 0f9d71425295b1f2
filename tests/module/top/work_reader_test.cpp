#include "hw/top/work_reader.h"

#include <gtest/gtest.h>

#include "hw/params/machine.h"
#include "isa/instruction.h"

namespace systole::hw {
namespace {

namespace f = isa::fields;
using isa::Instruction;
using isa::Op;

constexpr std::uint64_t kA = 0x80010000;
constexpr std::uint64_t kPage = 4096;

Instruction config_ld(std::uint64_t stride, std::uint32_t scale_bits) {
  Instruction i = isa::make(Op::kConfigLd);
  f::ConfigLd::stride.set(i, stride);
  f::ConfigLd::scale.set(i, scale_bits);
  f::ConfigLd::pixel_repeats.set(i, 1);
  return i;
}
Instruction config_st(std::uint64_t stride) {
  Instruction i = isa::make(Op::kConfigSt);
  f::ConfigSt::stride.set(i, stride);
  return i;
}
Instruction move(Op op, std::uint64_t address, std::uint64_t cols = 16, std::uint64_t rows = 16) {
  Instruction i = isa::make(op);
  f::Mvin::dram.set(i, address);
  f::Mvin::cols.set(i, cols);
  f::Mvin::rows.set(i, rows);
  return i;
}

struct Reading {
  explicit Reading(std::vector<Instruction> commands) {
    for (const Instruction& command : commands) program.command(command);
    program.fence();
  }
  [[nodiscard]] Work work() const { return WorkReader(params, memory, program).read(0, program.items.size(), Residual(100)); }
  [[nodiscard]] std::string race() const { return WorkReader(params, memory, program).memory_race(); }

  MachineParams params;
  Memory memory;
  isa::Program program;
};

constexpr std::uint32_t kOne = 0x3F800000, kHalf = 0x3F000000, kThird = 0x3EAAAAAB;

TEST(WorkReader, data_some_pages_further_on_are_the_same_work) {
  const auto words = [](std::uint64_t from, std::uint64_t to) {
    return Reading({config_ld(64, kOne), config_st(64), move(Op::kMvin, from), move(Op::kMvout, to)}).work().words;
  };
  EXPECT_EQ(words(kA, kA + 8 * kPage), words(kA + 3 * kPage, kA + 29 * kPage));
  EXPECT_NE(words(kA, kA + 8 * kPage), words(kA + 64, kA + 8 * kPage));           // another place in the page
  EXPECT_NE(words(kA, kA + 8 * kPage), words(kA, kA + 2048));                      // one page for both
  EXPECT_NE(words(kA, kA + 8 * kPage), words(0, kA + 8 * kPage));                  // zeros instead of memory
}

TEST(WorkReader, scales_matter_by_what_they_are_equal_to) {
  const auto words = [](std::uint32_t first, std::uint32_t second) {
    return Reading({config_ld(64, first), move(Op::kMvin, kA), config_ld(64, second), move(Op::kMvin, kA)}).work().words;
  };
  EXPECT_EQ(words(kHalf, kThird), words(kThird, kHalf));
  EXPECT_NE(words(kHalf, kThird), words(kHalf, kHalf));
  EXPECT_NE(words(kHalf, kThird), words(kOne, kThird));
}

TEST(WorkReader, says_which_settings_are_used_before_they_are_set) {
  const auto uses = [](std::vector<Instruction> commands) { return Reading(std::move(commands)).work().uses[static_cast<std::size_t>(Residual::Setting::kLoad0)]; };
  EXPECT_TRUE(uses({move(Op::kMvin, kA), config_ld(64, kOne)}));
  EXPECT_FALSE(uses({config_ld(64, kOne), move(Op::kMvin, kA)}));
  EXPECT_FALSE(uses({move(Op::kMvin2, kA)}));
}

TEST(WorkReader, what_leaves_memory_is_never_repeated) {
  EXPECT_TRUE(Reading({config_ld(64, kOne), move(Op::kMvin, kA)}).work().in_memory);
  EXPECT_FALSE(Reading({config_ld(64, kOne), move(Op::kMvin, 64)}).work().in_memory);
  const std::uint64_t end = Memory::kDefaultBase + Memory::kDefaultBytes;
  EXPECT_TRUE(Reading({config_ld(64, kOne), move(Op::kMvin, end - 15 * 64 - 16)}).work().in_memory);
  EXPECT_FALSE(Reading({config_ld(64, kOne), move(Op::kMvin, end - 15 * 64 - 15)}).work().in_memory);
}

TEST(WorkReader, finds_bytes_that_a_store_shares_with_no_fence_between) {
  // Columns 0..15 and 16..31 of the same rows.
  EXPECT_EQ(Reading({config_ld(64, kOne), config_st(64), move(Op::kMvin, kA), move(Op::kMvout, kA + 16)}).race(), "");
  EXPECT_NE(Reading({config_ld(64, kOne), config_st(64), move(Op::kMvin, kA), move(Op::kMvout, kA + 15)}).race(), "");
  EXPECT_NE(Reading({config_st(64), move(Op::kMvout, kA), move(Op::kMvout, kA + 15 * 64)}).race(), "");
  Reading fenced({config_ld(64, kOne), config_st(64), move(Op::kMvout, kA)});
  fenced.program.command(move(Op::kMvin, kA));
  EXPECT_EQ(fenced.race(), "");
}

TEST(WorkReader, refuses_a_loop_that_reuses_an_earlier_configuration) {
  Instruction bounds = isa::make(Op::kLoopWsBounds);
  f::LoopWsBounds::max_i.set(bounds, 1);
  f::LoopWsBounds::max_j.set(bounds, 1);
  f::LoopWsBounds::max_k.set(bounds, 1);
  std::vector<Instruction> loop = {bounds, isa::make(Op::kLoopWsAddrsAb), isa::make(Op::kLoopWsAddrsDc), isa::make(Op::kLoopWsStridesAb),
                                   isa::make(Op::kLoopWsStridesDc), isa::make(Op::kLoopWs)};
  const Reading whole(loop);
  EXPECT_EQ(WorkReader(whole.params, whole.memory, whole.program).refusal(), "");
  loop.push_back(isa::make(Op::kLoopWs));
  const Reading twice(loop);
  EXPECT_NE(WorkReader(twice.params, twice.memory, twice.program).refusal(), "");
}

}  // namespace
}  // namespace systole::hw
