// What is in memory while a program runs: no more than what it still needs.
#include "sim/run/live_memory.h"

#include <gtest/gtest.h>

#include "isa/instruction.h"

namespace systole::run {
namespace {

constexpr std::uint64_t kBase = Memory::kDefaultBase;
constexpr std::uint64_t kInput = kBase + 0x1000, kWeights = kBase + 0x2000, kResult = kBase + 0x4000, kUnnamed = kBase + 0x6000;
constexpr std::size_t kWeightBytes = 0x1100;   // more than a page, no whole number of them

isa::Item command(isa::Op op, std::uint64_t address) {
  isa::Instruction instruction = isa::make(op);
  instruction.rs1 = address;
  return {isa::ItemKind::kCommand, instruction, 0};
}
isa::Item load(std::uint64_t address) { return command(isa::Op::kMvin, address); }
isa::Item store(std::uint64_t address) { return command(isa::Op::kMvout, address); }
const isa::Item kFence{isa::ItemKind::kFence, {}, 0};

// Items: 0 loads the input, 1 fence, 2 loads a later row of the weights, 3 stores the result, 4 fence, 5 the CPU reads the result, 6 fence.
struct Example {
  std::vector<std::uint8_t> weights = std::vector<std::uint8_t>(kWeightBytes, 7);
  workloads::Lowered lowered;
  Memory memory;

  Example() {
    isa::Program& p = lowered.program;
    p.symbols = {{"weights", kWeights, kWeightBytes}, {"input", kInput, 64}, {"row", kInput + 16, 16}, {"result", kResult, 256}, {"unnamed", kUnnamed, 16}};
    p.image = {{kInput, {1, 2, 3}}, {kUnnamed, {9}}};
    p.host_ops = {{"copy", {kResult + 64, 3}}};
    p.items = {load(kInput + 16), kFence, load(kWeights + 0x1080), store(kResult), kFence, {isa::ItemKind::kHostOp, {}, 0}, kFence};
    lowered.borrowed = {{kWeights, weights.data(), weights.size()}};
  }
  [[nodiscard]] int at(std::uint64_t address) const { return *memory.at(address, 1); }
};

TEST(LiveMemory, contents_arrive_before_they_are_named_and_go_when_no_item_names_them_any_more) {
  Example e;
  LiveMemory live(e.lowered, e.memory);
  live.advance(0);
  EXPECT_EQ(e.at(kInput + 2), 3);
  EXPECT_EQ(e.at(kUnnamed), 9);    // nobody knows when it is needed
  EXPECT_EQ(e.at(kWeights), 0);    // not yet
  EXPECT_FALSE(live.dead(kInput));
  live.advance(2);
  EXPECT_TRUE(live.dead(kInput));
  EXPECT_EQ(e.at(kInput + 2), 0);
  EXPECT_EQ(e.at(kWeights + kWeightBytes - 1), 7);
  *e.memory.at(kResult + 200, 1) = 5;
  live.advance(5);
  EXPECT_TRUE(live.dead(kWeights));
  EXPECT_EQ(e.at(kWeights + kWeightBytes - 1), 0);
  EXPECT_FALSE(live.dead(kResult));   // the CPU is to read it
  EXPECT_EQ(e.at(kResult + 200), 5);
  live.advance(7);
  EXPECT_TRUE(live.dead(kResult));
  EXPECT_EQ(e.at(kResult + 200), 0);
  EXPECT_EQ(e.at(kUnnamed), 9);
}

TEST(LiveMemory, a_tensor_that_is_held_stays_until_its_last_release) {
  Example e;
  LiveMemory live(e.lowered, e.memory);
  live.advance(0);
  live.hold(kInput);
  live.hold(kInput + 20);   // a part that has a name of its own
  live.advance(2);
  EXPECT_TRUE(live.dead(kInput));
  EXPECT_EQ(e.at(kInput), 1);
  live.release(kInput);
  EXPECT_EQ(e.at(kInput), 1);
  live.release(kInput);
  EXPECT_EQ(e.at(kInput), 0);
}

TEST(LiveMemory, a_run_can_begin_again_in_a_new_memory) {
  Example e;
  LiveMemory live(e.lowered, e.memory);
  live.advance(0);
  live.hold(kInput);
  live.advance(2);
  e.memory = Memory();
  live.advance(0);
  EXPECT_EQ(e.at(kInput), 1);
  EXPECT_FALSE(live.dead(kInput));
  live.advance(2);   // nobody holds it this time
  EXPECT_EQ(e.at(kInput), 0);
}

TEST(LiveMemory, contents_outside_of_memory_are_refused) {
  Example e;
  e.lowered.program.image.push_back({kBase + Memory::kDefaultBytes - 1, {1, 2}});
  EXPECT_THROW(LiveMemory(e.lowered, e.memory), ConfigError);
}

}  // namespace
}  // namespace systole::run
