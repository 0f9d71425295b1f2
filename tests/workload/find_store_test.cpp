#include <gtest/gtest.h>

#include "isa/image.h"
#include "kernels/builder.h"
#include "tests/workload/oracle.h"
#include "tests/workload/random_model.h"
#include "workloads/lower/find_store.h"
#include "workloads/reference/evaluate.h"

namespace systole::workloads {
namespace {

TEST(FindStore, names_the_last_instruction_that_covers_an_address) {
  const kernels::Target target;
  isa::Program program;
  kernels::Builder b(target, program);
  kernels::StoreConfig store;
  store.stride = 64;
  b.region("first");
  b.store_config(store);
  b.mvout(0x80001000, b.accumulator(0), 16, 4);
  kernels::LoopWs loop;
  loop.i = 2, loop.pad_i = 3, loop.a = loop.b = 0x80002000, loop.c = 0x80001040, loop.stride_c = 64;
  b.region("second");
  b.loop_ws(loop);
  EXPECT_EQ(find_store(program, 0x80001000, target.dim)->region, "first");
  EXPECT_EQ(find_store(program, 0x80001040, target.dim)->region, "second");
  EXPECT_EQ(find_store(program, 0x80001040 + 28 * 64 + 15, target.dim)->region, "second");
  EXPECT_FALSE(find_store(program, 0x80001040 + 29 * 64, target.dim).has_value());  // row 29 is padding
  EXPECT_FALSE(find_store(program, 0x80001010, target.dim).has_value());            // between two rows
}

TEST(FindStore, statistics_passes_write_nothing) {
  const kernels::Target target;
  isa::Program program;
  kernels::Builder b(target, program);
  b.mvout(0x80001000, b.accumulator(0, false, false, isa::NormCommand::kSum), 16, 1);
  EXPECT_FALSE(find_store(program, 0x80001000, target.dim).has_value());
}

// A value changed in memory behind the machine's back is found and traced to its instruction.
TEST(Compare, names_the_first_different_value_and_its_instruction) {
  RandomModel r;
  r.rows = 20;
  const QuantisedModel model = random_model(r);
  const TensorMap input = random_input(r, 5);
  const TensorMap expected = reference::evaluate(model, input);
  const kernels::Target target;
  LowerOptions options;
  options.store_all_boundaries = true;
  const Lowered lowered = lower(model, {input}, target, options);
  Memory memory;
  isa::load_image(lowered.program, memory);
  oracle(target)(lowered.program, memory);
  for (const Boundary& b : lowered.boundaries) {
    if (b.name == "act.0.k") *memory.at(b.slices[2].at(17, 5), 1) ^= 1;
    if (b.name == "act.0.ln2") *memory.at(b.slices[0].at(3, 3), 1) ^= 1;
  }
  const Comparison result = compare(lowered, model, {expected}, memory, target.dim);
  EXPECT_EQ(result.different, 2u);
  EXPECT_EQ(result.mismatches, 2u);
  ASSERT_TRUE(result.first.has_value());
  EXPECT_EQ(result.first->boundary, "act.0.k");
  EXPECT_EQ(result.first->head, 2u);
  EXPECT_EQ(result.first->row, 17u);
  EXPECT_EQ(result.first->column, 5u);
  EXPECT_EQ(result.first->region, "layer.0/attention/key");
  EXPECT_NE(describe(*result.first).find("loop_ws"), std::string::npos);
}

TEST(Lower, refuses_a_machine_without_the_functions_and_names_them) {
  const RandomModel r;
  kernels::Target target;
  target.extensions = {true, false, false, false, false, false};
  try {
    (void)lower(random_model(r), {random_input(r, 1)}, target);
    FAIL();
  } catch (const ConfigError& error) {
    for (const char* setting : {"sfu.pre_shift=1", "sfu.mvin_acc_scale=1", "sfu.layer_norm_affine=1", "sfu.deferred_softmax=1"}) {
      EXPECT_NE(std::string(error.what()).find(setting), std::string::npos) << setting;
    }
  }
}

TEST(Lower, refuses_bad_inputs) {
  const RandomModel r;
  const QuantisedModel model = random_model(r);
  const kernels::Target target;
  EXPECT_THROW((void)lower(model, {}, target), ConfigError);
  EXPECT_THROW((void)lower(model, {TensorMap{}}, target), ConfigError);
  EXPECT_THROW((void)lower(model, {TensorMap{{"act.-1.emb_i32", Tensor(Dtype::I32, {16, 63})}}}, target), ConfigError);
  EXPECT_THROW((void)lower(model, {TensorMap{{"act.-1.emb_i32", Tensor(Dtype::I8, {16, 64})}}}, target), ConfigError);
  RandomModel longer = r;
  longer.rows = 17;
  EXPECT_THROW((void)lower(model, {random_input(r, 1), random_input(longer, 1)}, target), ConfigError);
}

TEST(Lower, refuses_rows_that_cannot_fit_the_accumulator) {
  RandomModel r;
  r.d = 512, r.f = 64;
  kernels::Target target;
  target.accumulator_rows = 64;  // gamma and beta of 32 column blocks fill it
  EXPECT_THROW((void)lower(random_model(r), {random_input(r, 1)}, target), ConfigError);
}

}  // namespace
}  // namespace systole::workloads
