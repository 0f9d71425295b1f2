#include "tests/unit/isa/model/bench.h"

namespace systole::isa {
namespace {

// A = [1 2; 3 4] in row 0, B = [5 6; 7 8] in row 8, D = [10 20; 30 40] in row 16. A*B = [19 22; 43 50].
class Compute : public OracleTest {
 protected:
  void load() {
    bytes({1, 2, 3, 4, 5, 6, 7, 8, 10, 20, 30, 40});
    run("config_ld scale=1f stride=2\nmvin dram=0x80001000 cols=2 rows=2\nmvin dram=0x80001004 local=8 cols=2 rows=2\n"
        "mvin dram=0x80001008 local=16 cols=2 rows=2\n");
  }
};

TEST_F(Compute, weight_stationary_adds_the_bias) {
  load();
  run("config_ex dataflow=1 a_stride=1 c_stride=1\npreload local=8 cols=2 rows=2 out_local=0x80000000 out_cols=2 "
      "out_rows=2\n"
      "compute_flip a_local=0 a_cols=2 a_rows=2 b_local=16 b_cols=2 b_rows=2\n");
  EXPECT_EQ(accumulator(0), (Words{29, 42, 0, 0}));
  EXPECT_EQ(accumulator(1), (Words{73, 90, 0, 0}));
}

TEST_F(Compute, stay_uses_the_weights_again_and_accumulates) {
  load();
  run("config_ex dataflow=1 a_stride=1 c_stride=1\npreload local=8 cols=2 rows=2 out_local=0x80000000 out_cols=2 "
      "out_rows=2\n"
      "compute_flip a_cols=2 a_rows=2 b_local=garbage\npreload local=garbage out_local=0xc0000000 out_cols=2 "
      "out_rows=2\n"
      "compute_stay a_cols=2 a_rows=2 b_local=garbage\n");
  EXPECT_EQ(accumulator(1), (Words{86, 100, 0, 0}));
}

TEST_F(Compute, transposes_either_operand) {
  load();
  run("config_ex dataflow=1 a_transpose=1 a_stride=1 c_stride=1\npreload local=8 cols=2 rows=2 out_local=0x80000000 "
      "out_cols=2 out_rows=2\n"
      "compute_flip a_cols=2 a_rows=2 b_local=garbage\n");
  EXPECT_EQ(accumulator(0), (Words{26, 30, 0, 0}));  // [1 3; 2 4] * B
  run("config_ex dataflow=1 b_transpose=1 a_stride=1 c_stride=1\npreload local=8 cols=2 rows=2 out_local=0x80000000 "
      "out_cols=2 out_rows=2\n"
      "compute_flip a_cols=2 a_rows=2 b_local=garbage\n");
  EXPECT_EQ(accumulator(0), (Words{17, 23, 0, 0}));  // A * [5 7; 6 8]
}

TEST_F(Compute, results_for_the_scratchpad_are_clipped_and_rectified) {
  load();
  bytes({100, 100, -100, -100});
  run("mvin dram=0x80001000 cols=2 rows=2\nconfig_ex dataflow=1 a_stride=1 c_stride=2\n"
      "preload local=8 cols=2 rows=2 out_local=32 out_cols=2 out_rows=2\ncompute_flip a_cols=2 a_rows=2 "
      "b_local=garbage\n"
      "config_ex dataflow=1 activation=1 a_stride=1 c_stride=1\n"
      "preload local=8 cols=2 rows=2 out_local=40 out_cols=2 out_rows=2\ncompute_flip a_cols=2 a_rows=2 "
      "b_local=garbage\n");
  EXPECT_EQ(scratchpad(32), (Row{127, 127, 0, 0}));
  EXPECT_EQ(scratchpad(33), (Row{0, 0, 0, 0}));  // C stride 2
  EXPECT_EQ(scratchpad(34), (Row{-128, -128, 0, 0}));
  EXPECT_EQ(scratchpad(41), (Row{0, 0, 0, 0}));  // ReLU
}

TEST_F(Compute, output_stationary_keeps_its_sum_shifts_and_rounds_once) {
  load();
  run("config_ex dataflow=0 a_stride=1 c_stride=1 in_shift=2\npreload local=16 cols=2 rows=2 out_local=garbage\n"
      "compute_flip a_cols=2 a_rows=2 b_local=8 b_cols=2 b_rows=2\npreload local=garbage out_local=0x80000000 "
      "out_cols=2 out_rows=2\n"
      "compute_stay a_cols=2 a_rows=2 b_local=8 b_cols=2 b_rows=2\n");
  EXPECT_EQ(accumulator(0), (Words{12, 16, 0, 0}));  // (10 + 38) / 4, (20 + 44) / 4
  EXPECT_EQ(accumulator(1), (Words{29, 35, 0, 0}));  // (30 + 86) / 4, (40 + 100) / 4
}

TEST_F(Compute, sums_inside_the_array_wrap_at_20_bits) {
  geometry_.spatial_bits = 20;
  bytes(std::vector<int>(16, -128));
  run("config_ld scale=1f stride=4\nmvin dram=0x80001000 cols=4 rows=4\nconfig_ex dataflow=0 a_stride=1 c_stride=1\n"
      "preload local=garbage out_local=garbage\ncompute_flip a_cols=4 a_rows=4 b_cols=4 b_rows=4\n");
  for (int i = 0; i < 7; ++i) {
    run(std::string("preload local=garbage out_local=") + (i == 6 ? "0x80000000" : "garbage") +
        " out_cols=4 out_rows=4\ncompute_stay a_cols=4 a_rows=4 b_cols=4 b_rows=4\n");
  }
  EXPECT_EQ(accumulator(0)[0], -524288);  // 8 * 65536 = 2^19 wraps
  EXPECT_EQ(model_->overflows().array, 16u);
}

TEST_F(Compute, misuse_is_named) {
  EXPECT_NE(error_of("preload local=8\n"), "no error");
  run("config_ex dataflow=1 a_stride=1 c_stride=1\n");
  EXPECT_EQ(error_of("compute_flip a_cols=2 a_rows=2\n"),
            "oracle, command 1: compute without a preload before it (instruction: compute_flip a_cols=2 a_rows=2)");
  EXPECT_EQ(error_of("preload local=0x80000000 cols=2 rows=2\n"),
            "oracle, command 1: operand of the preload lies in the accumulator; the hardware would hang (instruction: "
            "preload local=0x80000000 cols=2 rows=2)");
  run("preload local=8 cols=2 rows=2 out_local=0x80000000 out_cols=2 out_rows=2\n");
  EXPECT_NE(error_of("compute_flip a_local=garbage a_cols=2 a_rows=2 b_local=garbage\n"), "no error");
  run("preload local=garbage out_local=0x80000000 out_cols=2 out_rows=2\n");
  EXPECT_NE(error_of("compute_flip a_cols=2 a_rows=2 b_local=garbage\n"), "no error");
  EXPECT_NE(error_of("config_ex dataflow=1 a_transpose=1 b_transpose=1\n"), "no error");
}

}  // namespace
}  // namespace systole::isa
