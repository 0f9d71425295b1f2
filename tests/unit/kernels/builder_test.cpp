#include <gtest/gtest.h>

#include "isa/instruction.h"
#include "kernels/allocate.h"
#include "kernels/builder.h"

namespace systole::kernels {
namespace {

namespace f = isa::fields;
using isa::Op;

std::vector<Op> ops(const isa::Program& program) {
  std::vector<Op> result;
  for (const isa::Item& item : program.items) {
    if (item.kind == isa::ItemKind::kCommand) result.push_back(*isa::decode(item.instruction));
  }
  return result;
}

class BuilderTest : public ::testing::Test {
 protected:
  Target target_;
  isa::Program program_;
  Builder builder_{target_, program_};
};

TEST_F(BuilderTest, configuration_is_emitted_only_when_it_changes) {
  builder_.load_config(LoadState::kA, {64, 1.0f, false});
  builder_.load_config(LoadState::kA, {64, 1.0f, false});
  builder_.load_config(LoadState::kB, {64, 1.0f, false});
  builder_.load_config(LoadState::kA, {128, 1.0f, false});
  EXPECT_EQ(ops(program_), (std::vector<Op>{Op::kConfigLd, Op::kConfigLd, Op::kConfigLd}));
  EXPECT_EQ(f::ConfigLd::stride.get(program_.items[2].instruction), 128u);
}

TEST_F(BuilderTest, the_third_activation_bit_is_restored_after_every_store_configuration) {
  StoreConfig store;
  store.activation = isa::Activation::kExp;
  store.constants = {1, 2, 3, 4};
  store.stride = 64;
  builder_.store_config(store);
  // qln2 and qln2_inv share a field, so the constants need two instructions.
  EXPECT_EQ(ops(program_), (std::vector<Op>{Op::kConfigSt, Op::kConfigNorm, Op::kConfigNorm}));
  EXPECT_EQ(f::ConfigSt::activation.get(program_.items[0].instruction), 1u);
  EXPECT_EQ(f::ConfigNorm::activation_msb.get(program_.items[1].instruction), 1u);
  program_.items.clear();
  store.stride = 128;
  builder_.store_config(store);
  EXPECT_EQ(ops(program_), (std::vector<Op>{Op::kConfigSt, Op::kConfigNorm}));
}

TEST_F(BuilderTest, extension_registers_are_written_alone) {
  StoreConfig store;
  store.activation = isa::Activation::kLayerNorm;
  store.pre_shift = 7;
  store.wide_variance = true;
  builder_.store_config(store);
  ASSERT_EQ(program_.items.size(), 3u);
  EXPECT_EQ(f::ConfigNorm::ext_select.get(program_.items[1].instruction), 1u);
  EXPECT_EQ(f::ConfigNorm::q_const.get(program_.items[1].instruction), 7u);
  EXPECT_EQ(f::ConfigNorm::ext_select.get(program_.items[2].instruction), 4u);
  EXPECT_EQ(f::ConfigNorm::q_const.get(program_.items[2].instruction), 1u);
}

TEST_F(BuilderTest, a_new_execute_configuration_waits_for_the_array) {
  builder_.execute_config({true, false, false});
  LoopWs loop;
  loop.a = loop.b = loop.c = 0x80001000;
  builder_.loop_ws(loop);
  builder_.execute_config({true, false, false});
  const std::size_t before = program_.items.size();
  builder_.execute_config({true, false, true});
  ASSERT_EQ(program_.items.size(), before + 2);
  EXPECT_EQ(program_.items[before].kind, isa::ItemKind::kFence);
}

TEST_F(BuilderTest, loops_that_store_alternate_between_the_halves_of_the_accumulator) {
  LoopWs loop;
  loop.a = loop.b = 0x80001000;
  builder_.loop_ws(loop);
  EXPECT_EQ(builder_.loop_accumulator_row(), 0u);
  loop.c = 0x80002000;
  builder_.loop_ws(loop);
  EXPECT_EQ(builder_.loop_accumulator_row(), target_.accumulator_rows / 2);
  builder_.loop_ws(loop);
  EXPECT_EQ(builder_.loop_accumulator_row(), 0u);
}

TEST_F(BuilderTest, a_fence_without_work_is_dropped) {
  builder_.fence();
  EXPECT_TRUE(program_.items.empty());
  builder_.flush();
  builder_.fence();
  builder_.fence();
  EXPECT_EQ(program_.items.size(), 2u);
}

TEST(Allocator, rows_start_on_request_boundaries_and_matrices_on_pages) {
  isa::Program program;
  Allocator memory(program, 16);
  const std::vector<std::int8_t> data(3 * 80, 5);
  const Matrix a = memory.matrix("a", 3, 80, data.data());
  const Matrix b = memory.matrix("b", 1, 8, Element::kInt32);
  EXPECT_EQ(a.stride, 128u);
  EXPECT_EQ(a.address % Allocator::kPage, 0u);
  EXPECT_EQ(b.address, a.address + Allocator::kPage);   // 16 rows of 128 bytes
  EXPECT_EQ(memory.matrix("c", 33, 80, Element::kInt8).address, b.address + Allocator::kPage);
  EXPECT_EQ(memory.end(), b.address + 3 * Allocator::kPage);   // 48 rows of 128 bytes
  ASSERT_EQ(program.image.size(), 1u);
  EXPECT_EQ(program.image[0].bytes.size(), 2 * 128 + 80u);
  EXPECT_EQ(program.image[0].bytes[128], 5);
  EXPECT_EQ(program.image[0].bytes[80], 0);
  ASSERT_EQ(program.symbols.size(), 3u);
  EXPECT_EQ(program.symbols[1].bytes, 32u);
}

}  // namespace
}  // namespace systole::kernels
