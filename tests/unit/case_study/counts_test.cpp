#include "workloads/estimate/operation_counts.h"

#include <gtest/gtest.h>

#include "sim/base/errors.h"
#include "workloads/case_study/published.h"
#include "workloads/estimate/convolution_counts.h"

namespace systole::workloads {
namespace {

TEST(Counts, a_product_with_weights_moves_both_operands_and_its_result_once) {
  TransformerShape shape{1, 64, 4, 256, false};
  const TransformerCounts counts = count_transformer(shape, 8, CountingRule::kPlain);
  EXPECT_EQ(counts.projections.flops, 4.0 * 2 * 8 * 64 * 64);
  EXPECT_EQ(counts.projections.bytes, 4.0 * (64 * 64 + 8 * 64 + 8 * 64));
  EXPECT_EQ(counts.feed_forward.bytes, 2.0 * (64 * 256 + 8 * 64 + 8 * 256));
  // Four heads: scores (8 x 16)(16 x 8), context (8 x 8)(8 x 16).
  EXPECT_EQ(counts.attention.flops, 4.0 * (8 * 8 * 31 + 8 * 16 * 15));
  EXPECT_EQ(counts.attention.bytes, 4.0 * 2 * (8 * 16 + 16 * 8 + 8 * 8));
}

TEST(Counts, a_decoder_of_one_token_is_an_encoder_of_one_row) {
  TransformerShape shape{3, 64, 4, 256, false};
  const TransformerCounts encoder = count_transformer(shape, 1, CountingRule::kPlain);
  shape.decoder = true;
  const TransformerCounts decoder = count_transformer(shape, 1, CountingRule::kPlain);
  EXPECT_EQ(decoder.total().flops, encoder.total().flops);
  EXPECT_EQ(decoder.total().bytes, encoder.total().bytes);
}

TEST(Counts, a_decoder_reads_its_weights_for_every_token) {
  TransformerShape shape{1, 64, 4, 256, true};
  const double one = count_transformer(shape, 1, CountingRule::kPlain).projections.bytes;
  EXPECT_EQ(count_transformer(shape, 10, CountingRule::kPlain).projections.bytes, 10 * one);
}

TEST(Counts, the_rules_differ_in_one_operand_of_a_residual_addition) {
  const double plain = count_transformer(kBertBase, 128, CountingRule::kPlain).other.bytes;
  const double printed = count_transformer(kBertBase, 128, CountingRule::kAsPrinted).other.bytes;
  EXPECT_EQ(plain - printed, 12.0 * 128 * 768);
}

TEST(Counts, heads_that_do_not_divide_the_width_are_refused) {
  EXPECT_THROW((void)count_transformer({12, 768, 7, 3072, false}, 128, CountingRule::kPlain), ConfigError);
  EXPECT_THROW((void)count_transformer(kBertBase, 0, CountingRule::kPlain), ConfigError);
}

TEST(Counts, resnet50_has_53_convolutions_and_23_million_weights_in_them) {
  std::uint64_t layers = 0, weights = 0;
  for (const Convolution& c : resnet50()) {
    layers += c.repeats;
    weights += c.repeats * c.kernel * c.kernel * c.in_channels * c.out_channels;
  }
  EXPECT_EQ(layers, 53u);
  EXPECT_EQ(weights, 23454912u);
}

TEST(Printed, digits_decide_how_close_a_number_must_be) {
  EXPECT_TRUE(equals_printed(63.6249, "63.62"));
  EXPECT_TRUE(equals_printed(63.625, "63.62"));
  EXPECT_FALSE(equals_printed(63.6251, "63.62"));
  EXPECT_TRUE(equals_printed(231.049, "231.0"));
  EXPECT_FALSE(equals_printed(231.06, "231.0"));
  EXPECT_EQ(decimals_of("0.006"), 3);
  EXPECT_EQ(decimals_of("12"), 0);
}

TEST(Printed, tables_are_complete) {
  EXPECT_EQ(printed_counts().size(), 3u * 75 + 3 * 18);
  EXPECT_EQ(printed_convolutions().size(), 12u);
  EXPECT_EQ(printed_intensities().size(), 21u);
  EXPECT_EQ(printed_latencies().size(), 18u);
}

}  // namespace
}  // namespace systole::workloads
