#include "tests/unit/isa/model/bench.h"

namespace systole::isa {
namespace {

TEST_F(OracleTest, mvin_spreads_a_wide_row_over_tiles) {
  bytes({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  run("config_ld scale=1f stride=6 block_stride=4\nmvin dram=0x80001000 local=8 cols=6 rows=2\n");
  EXPECT_EQ(scratchpad(8), (Row{1, 2, 3, 4}));
  EXPECT_EQ(scratchpad(12), (Row{5, 6, 0, 0}));
  EXPECT_EQ(scratchpad(9), (Row{7, 8, 9, 10}));
  EXPECT_EQ(scratchpad(13), (Row{11, 12, 0, 0}));
}

TEST_F(OracleTest, mvin_scales_rounds_to_even_and_saturates) {
  bytes({5, -5, 7, 127});
  run("config_ld scale=0.5f stride=4\nmvin dram=0x80001000 cols=4 rows=1\nconfig_ld scale=1.5f stride=4\nmvin "
      "dram=0x80001000 local=1 cols=4 rows=1\n");
  EXPECT_EQ(scratchpad(0), (Row{2, -2, 4, 64}));    // 2.5, -2.5, 3.5, 63.5
  EXPECT_EQ(scratchpad(1), (Row{8, -8, 10, 127}));  // 7.5, -7.5, 10.5, 190.5
}

TEST_F(OracleTest, mvin_of_address_0_writes_zeros_and_only_the_columns_named) {
  bytes({1, 2, 3, 4});
  run("config_ld scale=1f stride=4\nmvin dram=0x80001000 cols=4 rows=1\nmvin cols=2 rows=1\n");
  EXPECT_EQ(scratchpad(0), (Row{0, 0, 3, 4}));
}

TEST_F(OracleTest, mvin_with_stride_0_repeats_the_row) {
  bytes({1, 2, 3, 4});
  run("config_ld scale=1f\nmvin dram=0x80001000 cols=4 rows=3\n");
  EXPECT_EQ(scratchpad(2), (Row{1, 2, 3, 4}));
}

TEST_F(OracleTest, mvin_into_the_accumulator_adds_and_wraps) {
  words({2147483647, -3, 5, 6});
  run("config_ld scale=1f stride=16\nmvin dram=0x80001000 local=0x80000002 cols=4 rows=1\nmvin dram=0x80001000 "
      "local=0xc0000002 cols=4 rows=1\n");
  EXPECT_EQ(accumulator(2), (Words{-2, -6, 10, 12}));
  EXPECT_EQ(model_->overflows().accumulate, 1u);
}

TEST_F(OracleTest, shrunk_loads_bring_bytes_into_the_accumulator) {
  bytes({100, -100, 3, -3});
  run("config_ld shrink=1 scale=2f stride=4\nmvin dram=0x80001000 local=0x80000000 cols=4 rows=1\n");
  EXPECT_EQ(accumulator(0), (Words{127, -128, 6, -6}));  // saturated: the scaler makes bytes
}

TEST_F(OracleTest, extension_e2_scales_into_the_accumulator_without_saturating_to_bytes) {
  geometry_.extensions.mvin_acc_scale = true;
  bytes({100, -100, 3, -3});
  words({1000001, -3, 5, 2147483647}, kIn + 16);
  run("config_ld shrink=1 scale=2f stride=4\nmvin dram=0x80001000 local=0x80000000 cols=4 rows=1\n"
      "config_ld scale=2.5f stride=16\nmvin dram=0x80001010 local=0xc0000000 cols=4 rows=1\n");
  EXPECT_EQ(accumulator(0), (Words{200 + 2500002, -200 - 8, 6 + 12, 2147483647 - 6}));
}

TEST_F(OracleTest, pixels_are_repeated_downwards_and_to_the_right) {
  bytes({1, 2, 3, 4});
  run("config_ld scale=1f stride=2 pixel_repeats=2\nmvin dram=0x80001000 local=5 cols=2 rows=2\n");
  EXPECT_EQ(scratchpad(5), (Row{1, 2, 3, 4}));  // pixel 0, and pixel 1 one row lower
  EXPECT_EQ(scratchpad(4), (Row{0, 0, 1, 2}));
  EXPECT_EQ(scratchpad(6), (Row{3, 4, 0, 0}));
}

TEST_F(OracleTest, mvout_from_the_accumulator_scales_and_activates) {
  words({10, -10, 5, 1000});
  run("config_ld scale=1f stride=16\nmvin dram=0x80001000 local=0x80000000 cols=4 rows=1\n"
      "config_st stride=4 acc_scale=0.5f\nmvout dram=0x80002000 local=0x80000000 cols=4 rows=1\n"
      "config_st stride=4 activation=1 acc_scale=0xffffffff\nmvout dram=0x80002010 local=0x80000000 cols=4 rows=1\n"
      "mvout dram=0x80002020 local=0xa0000000 cols=4 rows=1\n");
  EXPECT_EQ(out(4), (Row{5, -5, 2, 127}));
  EXPECT_EQ(out(4, kOut + 16), (Row{5, 0, 2, 127}));  // the scale is kept
  EXPECT_EQ(out_words(4, kOut + 32), (Words{10, -10, 5, 1000}));
}

TEST_F(OracleTest, mvout_joins_tiles_to_wide_rows) {
  bytes({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  run("config_ld scale=1f stride=6 block_stride=4\nmvin dram=0x80001000 cols=6 rows=2\n"
      "config_st stride=8\nmvout dram=0x80002000 cols=6 rows=2\n");
  EXPECT_EQ(out(14), (Row{1, 2, 3, 4, 5, 6, 0, 0, 7, 8, 9, 10, 11, 12}));
}

TEST_F(OracleTest, max_pooling_counts_padding_as_zero) {
  // A 2x2 image with one channel in column 0 of rows 0..3.
  bytes({-1, -2, -3, -4});
  run("config_ld scale=1f stride=1\nmvin dram=0x80001000 cols=1 rows=4\n"
      "config_st stride=1 pool_stride=1 pool_size=2 upad=1 lpad=1 pool_out_dim=2 porows=2 pocols=2 orows=2 ocols=2\n"
      "mvout dram=0x80002000 cols=1\n");
  EXPECT_EQ(out(4), (Row{0, 0, 0, -1}));  // only the last window holds no padding
}

TEST_F(OracleTest, flattened_stores_write_rows_with_their_own_pitch) {
  bytes({1, 2, 3, 4});
  run("config_ld scale=1f stride=1\nmvin dram=0x80001000 cols=1 rows=4\n"
      "config_st stride=1 pool_size=1 pool_out_dim=3 orows=2 ocols=2\nmvout dram=0x80002000 cols=1 rows=4\n");
  EXPECT_EQ(out(5), (Row{1, 2, 0, 3, 4}));
}

TEST_F(OracleTest, misuse_of_loads_and_stores_is_named) {
  EXPECT_EQ(
      error_of("mvin dram=0x80001000 cols=4 rows=1\n"),
      "oracle, command 0: load state 0 is used before its config_ld (instruction: mvin dram=0x80001000 cols=4 rows=1)");
  run("config_ld scale=1f stride=4\nconfig_st stride=4\n");
  EXPECT_EQ(error_of("mvin dram=0x10 cols=4 rows=1\n"),
            "oracle, command 2: a load of 4 bytes at 0x10 is outside of main memory 0x80000000..0x800fffff "
            "(instruction: mvin dram=0x10 cols=4 rows=1)");
  EXPECT_NE(error_of("mvin dram=0x800ffffe cols=4 rows=1\n"), "no error");
  EXPECT_NE(error_of("mvin dram=0x80001000 cols=4 rows=5\n"), "no error");
  EXPECT_NE(error_of("mvin dram=0x80001000 rows=1\n"), "no error");
  EXPECT_NE(error_of("mvout dram=0x80001000 local=0xa0000000 cols=8 rows=1\n"), "no error");
  EXPECT_NE(error_of("mvout dram=0x10 cols=4 rows=1\n"), "no error");
  EXPECT_EQ(error_of("rocc funct=77\n"),
            "oracle, command 2: unknown funct 77 (instruction: rocc funct=77 rs1=0x0 rs2=0x0)");
  EXPECT_NE(error_of(".host softmax\n"), "no error");
}

TEST_F(OracleTest, an_impossible_geometry_is_refused) {
  geometry_.dim = 6;
  EXPECT_THROW(Model(geometry_, memory_), ConfigError);
}

}  // namespace
}  // namespace systole::isa
