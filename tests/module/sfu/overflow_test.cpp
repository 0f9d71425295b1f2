// Programs that run into the machine's limited widths: the machine wraps as the oracle does, and counts it.
#include "tests/module/sfu/programs.h"

namespace systole::test {
namespace {

Outcome run(const std::string& settings, const std::string& fill, const std::string& text, bool timing_only = false) {
  const Outcome outcome = run_program(settings, fill, text, timing_only);
  if (!timing_only) {
    EXPECT_EQ(outcome.memory, outcome.oracle_memory);
  }
  return outcome;
}

const char* const kGelu = "config_norm qb=-625 qc=-432825\nconfig_st stride=16 activation=3 acc_scale=-0.0000001f\nmvout dram=0x80040000 local=0x80000000 cols=16 rows=16\n";

TEST(Overflow, gelu_results_are_counted_one_by_one) {
  const Outcome large = run("", words(-2000000000, 2000000000), std::string(kLoadWords) + kGelu);
  EXPECT_GT(large.counters.at("sfu.overflow.gelu"), 100u);
  EXPECT_EQ(large.counters.at("sfu.overflow.gelu"), large.oracle.gelu);
  const Outcome small = run("", words(-1000, 1000), std::string(kLoadWords) + kGelu);
  EXPECT_EQ(small.counters.at("sfu.overflow.gelu"), 0u);
}

TEST(Overflow, sums_of_exponentials) {
  const Outcome large = run("", words(-100, 100), std::string(kLoadWords) + softmax(20000, 100));
  EXPECT_GT(large.counters.at("sfu.overflow.exp_sum"), 0u);
  EXPECT_GT(large.oracle.exp_sum, 0u);
  const Outcome small = run("", words(-100, 100), std::string(kLoadWords) + softmax(1353, 959832));
  EXPECT_EQ(small.counters.at("sfu.overflow.exp_sum"), 0u);
  EXPECT_EQ(small.oracle.exp_sum, 0u);
}

TEST(Overflow, sums_and_squares_of_layer_norm) {
  const Outcome large = run("", words(-100000, 100000), kLoadWords + layer_norm());
  EXPECT_GT(large.counters.at("sfu.overflow.variance"), 0u);
  EXPECT_GT(large.oracle.variance, 0u);
  const Outcome sum = run("", words(2000000000, 2000000100), kLoadWords + layer_norm());
  EXPECT_GT(sum.counters.at("sfu.overflow.variance"), 0u);
  const Outcome small = run("", words(-3000, 3000), kLoadWords + layer_norm());
  EXPECT_EQ(small.counters.at("sfu.overflow.variance"), 0u);
  // Extension E5: 64-bit sums do not overflow.
  const Outcome wide = run("sfu.wide_variance=1", words(-100000, 100000), std::string(kLoadWords) + "config_norm ext_select=4 q_const=1\n" + layer_norm());
  EXPECT_EQ(wide.counters.at("sfu.overflow.variance"), 0u);
}

TEST(Overflow, accumulator_additions_of_loads) {
  const std::string twice = std::string(kLoadWords) +
                            "mvin dram=0x80001000 local=0xC0000000 cols=16 rows=16\n.fence\nconfig_st stride=64 acc_scale=1f\n"
                            "mvout dram=0x80040000 local=0xA0000000 cols=16 rows=16\n";
  const Outcome large = run("", words(-2000000000, 2000000000), twice);
  EXPECT_GT(large.counters.at("accumulator.overflow"), 50u);
  EXPECT_EQ(large.counters.at("accumulator.overflow"), large.oracle.accumulate);
  EXPECT_EQ(run("", words(-1000000000, 1000000000), twice).counters.at("accumulator.overflow"), 0u);
}

// Bias near the limit, then the product of the array is added to it.
TEST(Overflow, accumulator_additions_of_the_array) {
  const Outcome large = run("", words(2147480000, 2147483647) + "fill 80011000 4096 int8 100 127 9\n",
                            std::string(kLoadWords) +
                                "config_ld scale=1f stride=16\nmvin dram=0x80011000 local=0 cols=16 rows=16\nconfig_ex dataflow=1 a_stride=1 acc_scale=1f c_stride=1\n.fence\n"
                                "preload local=0 rows=16 cols=16 out_local=0xC0000000 out_rows=16 out_cols=16\n"
                                "compute_flip a_local=0 a_rows=16 a_cols=16 b_local=0xFFFFFFFF b_rows=16 b_cols=16\n.fence\n"
                                "config_st stride=64 acc_scale=1f\nmvout dram=0x80040000 local=0xA0000000 cols=16 rows=16\n");
  EXPECT_EQ(large.counters.at("accumulator.overflow"), 256u);
  EXPECT_EQ(large.oracle.accumulate, 256u);
  EXPECT_EQ(large.counters.at("array.overflow"), 0u);
}

// Output-stationary: the sums stay in the array, which is array.output_bits wide.
TEST(Overflow, partial_sums_inside_the_array) {
  const auto program = [](int products) {
    std::string text =
        "config_ld scale=1f stride=16\nmvin dram=0x80001000 local=0 cols=16 rows=16\nconfig_ex dataflow=0 a_stride=1 acc_scale=1f c_stride=1\n.fence\n"
        "preload local=0xFFFFFFFF rows=16 cols=16 out_local=0x80000000 out_rows=16 out_cols=16\n"
        "compute_flip a_local=0 a_rows=16 a_cols=16 b_local=0 b_rows=16 b_cols=16\n";
    for (int i = 1; i < products; ++i) {
      text += "preload local=0xFFFFFFFF rows=16 cols=16 out_local=0x80000000 out_rows=16 out_cols=16\ncompute_stay a_local=0 a_rows=16 a_cols=16 b_local=0 b_rows=16 b_cols=16\n";
    }
    return text + ".fence\nconfig_st stride=64 acc_scale=1f\nmvout dram=0x80040000 local=0xA0000000 cols=16 rows=16\n";
  };
  const Outcome one = run("", bytes(120, 127), program(1));
  EXPECT_EQ(one.counters.at("array.overflow"), 0u);
  const Outcome four = run("", bytes(120, 127), program(4));
  EXPECT_GT(four.counters.at("array.overflow"), 100u);
  EXPECT_EQ(four.counters.at("array.overflow"), four.oracle.array);
  const Outcome wide = run("array.output_bits=32", bytes(120, 127), program(4));
  EXPECT_EQ(wide.counters.at("array.overflow"), 0u);
}

// An array so large that one product can leave its width.
TEST(Overflow, one_product_in_a_narrow_array) {
  const char* const program =
      "config_ld scale=1f stride=16\nmvin dram=0x80001000 local=0 cols=16 rows=16\nconfig_ex dataflow=1 a_stride=1 acc_scale=1f c_stride=1\n.fence\n"
      "preload local=0 rows=16 cols=16 out_local=0x80000000 out_rows=16 out_cols=16\n"
      "compute_flip a_local=0 a_rows=16 a_cols=16 b_local=0xFFFFFFFF b_rows=16 b_cols=16\n.fence\n"
      "config_st stride=64 acc_scale=1f\nmvout dram=0x80040000 local=0xA0000000 cols=16 rows=16\n";
  const Outcome narrow = run("array.output_bits=18", bytes(100, 127), program);
  EXPECT_EQ(narrow.counters.at("array.overflow"), 256u);
  EXPECT_EQ(narrow.oracle.array, 256u);
}

TEST(Overflow, without_values_nothing_is_counted) {
  const Outcome run_without = run("", words(-2000000000, 2000000000), std::string(kLoadWords) + kGelu, true);
  for (const char* name : {"array.overflow", "accumulator.overflow", "sfu.overflow.gelu", "sfu.overflow.exp_sum", "sfu.overflow.variance"}) {
    EXPECT_EQ(run_without.counters.at(name), 0u) << name;
  }
}

// The exponential of 2025 on a machine of 2023, against the oracle; it is not the exponential of 2023.
TEST(ExponentialOfHead, is_an_option_of_its_own) {
  const std::string program = std::string(kLoadWords) + softmax(1353, 959832);
  const Outcome head = run("sfu.iexp_as_igelu=1", words(-3000, 3000), program);
  const Outcome stock = run("sfu.iexp_as_igelu=0", words(-3000, 3000), program);
  EXPECT_NE(head.memory, stock.memory);
}

}  // namespace
}  // namespace systole::test
