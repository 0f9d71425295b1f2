#include "workloads/estimate/analytical_model.h"

#include <gtest/gtest.h>

#include "sim/base/errors.h"

namespace systole::workloads {
namespace {

TEST(Estimate, an_operator_takes_the_longer_of_arithmetic_and_memory) {
  for (const OperatorEstimate& e : estimate_transformer(kBertBase, 128).operators) {
    EXPECT_EQ(e.cycles, std::max(e.compute_cycles, e.memory_cycles)) << e.name;
    if (e.matmul) {
      EXPECT_EQ(e.compute_cycles, e.macs / 256) << e.name;  // all sizes are multiples of 16
    }
  }
}

TEST(Estimate, an_odd_size_fills_whole_tiles_of_the_array) {
  const TransformerEstimate estimate = estimate_transformer({1, 20, 1, 40, false}, 10);
  EXPECT_EQ(estimate.find("W_1").compute_cycles, 2.0 * 3 * 10);  // ceil(20/16) ceil(40/16) rows
}

TEST(Estimate, a_faster_memory_helps_only_where_memory_is_the_bound) {
  AnalyticalMachine fast;
  fast.local_bytes_per_cycle = 64;
  const TransformerEstimate slow_estimate = estimate_transformer(kBertBase, 512);
  const TransformerEstimate fast_estimate = estimate_transformer(kBertBase, 512, fast);
  EXPECT_EQ(fast_estimate.find("W_1").cycles, slow_estimate.find("W_1").cycles);
  EXPECT_LT(fast_estimate.find("softmax").cycles, slow_estimate.find("softmax").cycles);
}

TEST(Estimate, a_decoder_is_bound_by_its_weights) {
  const TransformerEstimate estimate = estimate_transformer(kGpt2, 16);
  EXPECT_GT(estimate.find("W_1").memory_cycles, estimate.find("W_1").compute_cycles);
  EXPECT_EQ(estimate.find("W_1").macs, 12.0 * 16 * 768 * 3072);
}

TEST(Estimate, impossible_machines_are_refused) {
  AnalyticalMachine machine;
  machine.array = 0;
  EXPECT_THROW((void)estimate_transformer(kBertBase, 128, machine), ConfigError);
  machine = {};
  machine.dram_bytes_per_cycle = 0;
  EXPECT_THROW((void)estimate_transformer(kBertBase, 128, machine), ConfigError);
  EXPECT_THROW((void)estimate_transformer(kBertBase, 128).find("conv"), ConfigError);
}

}  // namespace
}  // namespace systole::workloads
