#include "isa/model/arithmetic.h"

#include <limits>
#include <vector>

#include "tests/unit/isa/model/bench.h"

namespace systole::isa {
namespace {

TEST(Arithmetic, a_row_is_scaled_as_its_words_are) {
  const std::vector<std::int32_t> words{0, 1, -1, 2, 3, 5, -5, 127, 128, -128, -129, 1000, -1000, 2147483647, -2147483647 - 1, 16777217, 25, -35, 4194305};
  for (const float scale : {1.0f, 0.5f, 0.1f, -0.5f, 1e-9f, 1e30f, 0.0f, -0.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    for (std::size_t count = 0; count <= words.size(); ++count) {
      std::vector<std::int8_t> row(words.size(), 99);
      model::scale_row(words.data(), static_cast<int>(count), scale, row.data());
      for (std::size_t i = 0; i < words.size(); ++i) ASSERT_EQ(row[i], i < count ? model::scale_to_int8(words[i], scale) : 99) << words[i] << " * " << scale;
    }
  }
}

// Accumulator addresses with a normaliser command.
std::string acc(int row, int command) {
  return std::to_string(0x80000000u + static_cast<unsigned>(row) + (static_cast<unsigned>(command) << 26));
}
constexpr int kReset = 0, kSum = 1, kMean = 2, kVariance = 3, kInvStddev = 4, kMax = 5, kInvSumExp = 7;

class Norm : public OracleTest {
 protected:
  void load(const Words& row) {
    words(row);
    run("config_ld scale=1f stride=" + std::to_string(4 * row.size()) +
        "\nmvin dram=0x80001000 local=0x80000000 cols=4 rows=1\n");
  }
  void pass(int command, int row = 0) { run("mvout dram=0x80002000 local=" + acc(row, command) + " cols=4 rows=1\n"); }
};

TEST_F(Norm, layer_norm_of_a_row) {
  load({2, 4, 6, 8});
  run("config_st stride=4 activation=2 acc_scale=10f\nconfig_norm set_stats_id_only=1 stats_id=1\n");
  pass(kMean);
  pass(kInvStddev);
  pass(kReset);
  // mean 5, squares 9 1 1 9: variance 5, whole root 2; (x - 5) / 2 * 10.
  EXPECT_EQ(out(4), (Row{-15, -5, 5, 15}));
}

TEST_F(Norm, only_the_last_block_of_a_row_ends_the_sum) {
  words({1, 2, 3, 4, 5, 6, 7, 8});
  run("config_ld scale=1f stride=16 block_stride=4\nmvin dram=0x80001000 local=0x80000000 cols=4 rows=1\nmvin "
      "dram=0x80001010 local=0x80000004 cols=4 rows=1\n"
      "config_st stride=8 activation=2 acc_scale=4f\n");
  for (const int command : {kMean, kInvStddev, kReset})
    run("mvout dram=0x80002000 local=" + acc(0, command) + " cols=8 rows=1\n");
  // mean trunc(36/8) = 4, squares 9 4 1 0 1 4 9 16 = 44, variance 5, root 2.
  EXPECT_EQ(out(8), (Row{-6, -4, -2, 0, 2, 4, 6, 8}));
}

TEST_F(Norm, a_sum_in_pieces_is_the_same) {
  words({1, 2, 3, 4, 5, 6, 7, 8});
  run("config_ld scale=1f stride=16\nmvin dram=0x80001000 local=0x80000000 cols=4 rows=2\nconfig_st stride=4 "
      "activation=2 acc_scale=4f\n");
  pass(kSum, 0);
  pass(kMean, 1);
  pass(kVariance, 0);
  pass(kInvStddev, 1);
  pass(kReset, 1);
  EXPECT_EQ(out(4), (Row{2, 4, 6, 8}));
}

TEST_F(Norm, an_ordinary_store_of_the_same_id_throws_the_sum_away) {
  load({2, 4, 6, 8});
  run("config_st stride=4 activation=2 acc_scale=10f\n");
  pass(kSum);
  pass(kReset);
  pass(kMean);
  pass(kInvStddev);
  pass(kReset);
  EXPECT_EQ(out(4), (Row{-15, -5, 5, 15}));
}

TEST_F(Norm, softmax_divides_127_among_the_exponentials) {
  load({0, 0, -1000, -100000});
  run("config_st stride=4 acc_scale=1f\nconfig_norm activation_msb=1 q_const=693 qb=1353 qc=959832\nconfig_norm "
      "activation_msb=1 q_const_type=1 q_const=94 qb=1353 qc=959832\n");
  pass(kMax);
  pass(kInvSumExp);
  pass(kReset);
  // At scale 0.001: exp(0) = 1, exp(-1) = 0.368, exp(-100) = 0; 127 / 2.368 = 53.6 and 19.7.
  EXPECT_EQ(out(4), (Row{54, 54, 20, 0}));
}

TEST_F(Norm, revision_2025_computes_the_exponential_as_gelu) {
  geometry_.iexp_as_igelu = true;
  load({0, 0, -1000, -100000});
  run("config_st stride=4 acc_scale=1f\nconfig_norm activation_msb=1 q_const=693 qb=1353 qc=959832\nconfig_norm "
      "activation_msb=1 q_const_type=1 q_const=94 qb=1353 qc=959832\n");
  pass(kMax);
  pass(kInvSumExp);
  pass(kReset);
  EXPECT_NE(out(4), (Row{54, 54, 20, 0}));
}

TEST_F(Norm, gelu_uses_its_constants) {
  load({0, 500, -500, 1000});
  // S = 0.004: qb = -1.769 sqrt 2 / S, qc = 1 / (-0.2888 S^2 / 2); result scale S * (-0.2888 S^2 / 2) / 2, read out in
  // units of 1/32.
  run("config_norm qb=-625 qc=-432825\nconfig_st stride=4 activation=3 acc_scale=-0.0000001478656f\n");
  pass(kReset);
  EXPECT_EQ(out(4), (Row{0, 63, -1, 127}));  // GELU(2) = 1.954, GELU(-2) = -0.046, GELU(4) = 4
}

TEST_F(Norm, wraps_are_counted) {
  load({2147483647, 2147483647, -2147483647, 5});
  run("config_st stride=4 activation=2 acc_scale=1f\n");
  pass(kMean);
  pass(kInvStddev);
  EXPECT_EQ(model_->overflows().variance, 1u);
}

TEST_F(Norm, a_machine_without_normaliser_refuses_its_configuration_and_ignores_its_activations) {
  geometry_.normaliser = false;
  load({2, 4, 6, 8});
  EXPECT_EQ(error_of("config_norm stats_id=1\n"),
            "oracle, command 2: this machine has no normaliser (instruction: config_norm stats_id=1)");
  run("config_st stride=4 activation=2 acc_scale=1f\n");
  pass(kReset);
  EXPECT_EQ(out(4), (Row{2, 4, 6, 8}));
}

// ---- extensions

TEST_F(Norm, extension_registers_need_their_extension) {
  run("config_st stride=4\n");
  EXPECT_EQ(error_of("config_norm ext_select=1 q_const=3\n"),
            "oracle, command 1: this machine does not have the extension pre_shift (instruction: config_norm "
            "ext_select=1 q_const=3)");
  EXPECT_NE(error_of("config_norm ext_select=2\n"), "no error");
  EXPECT_NE(error_of("config_norm ext_select=3\n"), "no error");
  EXPECT_NE(error_of("config_norm ext_select=4\n"), "no error");
  EXPECT_NE(error_of("config_norm ext_select=9\n"), "no error");
}

TEST_F(Norm, e1_shifts_before_statistics_and_read_out_but_not_before_plain_ones) {
  geometry_.extensions.pre_shift = true;
  load({32, 64, 96, 136});  // shifted by 4: 2 4 6 8.5 -> 8
  run("config_norm ext_select=1 q_const=4\nconfig_st stride=4 activation=2 acc_scale=10f\n");
  pass(kMean);
  pass(kInvStddev);
  pass(kReset);
  EXPECT_EQ(out(4), (Row{-15, -5, 5, 15}));
  run("config_st stride=4 acc_scale=0.5f\n");
  pass(kReset);
  EXPECT_EQ(out(4), (Row{16, 32, 48, 68}));
}

TEST_F(Norm, e3_applies_gain_and_bias_of_the_column_block) {
  geometry_.extensions.layer_norm_affine = true;
  words({2, 4, 6, 8, 2, 4, 6, 8});
  floats({1, 2, 3, 4, 0.5f, 0.5f, 0.5f, 0.5f, -1, -1, -1, -1, 0, 0, 0, 10}, kIn + 64);
  run("config_ld scale=1f stride=16\nmvin dram=0x80001000 local=0x80000000 cols=4 rows=1\nmvin dram=0x80001010 "
      "local=0x80000004 cols=4 rows=1\n"
      "mvin dram=0x80001040 local=0x80000010 cols=4 rows=4\nconfig_norm ext_select=2 q_const=16\n"
      "config_st stride=8 activation=3 acc_scale=10f\nconfig_norm activation_msb=1\n");
  for (const int command : {kMean, kInvStddev})
    run("mvout dram=0x80002000 local=" + acc(0, command) + " cols=8 rows=1\n");
  // Two stores of one block each: the second one takes the second pair of rows.
  pass(kReset, 0);
  EXPECT_EQ(out(4), (Row{-14, -10, 16, 60}));  // -15 * 1 + .5 -> -14.5, -10 + .5, 15.5, 60.5
  pass(kReset, 4);
  EXPECT_EQ(out(4), (Row{15, 5, -5, -5}));
}

TEST_F(Norm, e4_keeps_the_row_scale_for_a_later_product) {
  geometry_.extensions.deferred_softmax = true;
  words({0, 0, -1000, -100000, 1000, 2000, -1000, 0});
  run("config_ld scale=1f stride=16\nmvin dram=0x80001000 local=0x80000002 cols=4 rows=1\nmvin dram=0x80001010 "
      "local=0x80000006 cols=4 rows=1\n"
      "config_st stride=4 activation=1 acc_scale=4.547e-05f\nconfig_norm ext_select=3 q_const=100\n"
      "config_norm activation_msb=1 q_const=693 qb=1353 qc=959832\nconfig_norm activation_msb=1 q_const_type=1 "
      "q_const=94 qb=1353 qc=959832\n");
  pass(kMax, 2);
  pass(kInvSumExp, 2);
  pass(kReset, 2);
  EXPECT_EQ(out(4), (Row{127, 127, 47, 0}));  // 127 / e(0) each
  // Row 6 has the same number modulo dim; its scale is 127 / sum = 127 / (2.368 * e(0)), e(0) = 2790441.
  run("config_st stride=4 activation=2 acc_scale=5000f\nconfig_norm activation_msb=1\n");
  pass(kReset, 6);
  EXPECT_EQ(out(4), (Row{96, 127, -96, 0}));
  EXPECT_EQ(model_->overflows().exp_sum, 0u);
}

TEST_F(Norm, e5_has_64_bit_sums) {
  geometry_.extensions.wide_variance = true;
  load({-1500000000, 1500000000, -1500000000, 1500000000});
  run("config_norm ext_select=4 q_const=1\nconfig_st stride=4 activation=2 acc_scale=50f\n");
  pass(kMean);
  pass(kInvStddev);
  pass(kReset);
  EXPECT_EQ(out(4), (Row{-50, 50, -50, 50}));
  EXPECT_EQ(model_->overflows().variance, 0u);
}

TEST(Arithmetic, rounding_shift_is_to_even) {
  EXPECT_EQ(model::shift_right_rounded(5, 1), 2);
  EXPECT_EQ(model::shift_right_rounded(7, 1), 4);
  EXPECT_EQ(model::shift_right_rounded(-5, 1), -2);
  EXPECT_EQ(model::shift_right_rounded(-7, 1), -4);
  EXPECT_EQ(model::shift_right_rounded(2147483647, 31), 1);
  EXPECT_EQ(model::shift_right_rounded(-2147483647 - 1, 31), -1);
}

TEST(Arithmetic, scaling_saturates_and_counts_nan_as_large) {
  EXPECT_EQ(model::scale_to_int8(1, 1e30f), 127);
  EXPECT_EQ(model::scale_to_int8(-1, 1e30f), -128);
  EXPECT_EQ(model::scale_to_int8(0, std::numeric_limits<float>::infinity()), 127);  // 0 * infinity
  EXPECT_EQ(model::scale_to_int32(1, 1e30f), 2147483647);
  EXPECT_EQ(model::scale_to_int32(-1, 1e30f), -2147483647 - 1);
  EXPECT_EQ(model::scale_to_int32(2147483647, 1.0f), 2147483647);
}

TEST(Arithmetic, integer_square_root_is_the_whole_part) {
  for (const std::uint32_t root : {0u, 1u, 2u, 46340u, 65535u}) {
    EXPECT_EQ(model::integer_sqrt(root * root), root);
    if (root > 0) {
      EXPECT_EQ(model::integer_sqrt(root * root - 1), root - 1);
    }
  }
  EXPECT_EQ(model::integer_sqrt(0xFFFFFFFFu), 65535u);
}

}  // namespace
}  // namespace systole::isa
