#include <gtest/gtest.h>

#include <random>

#include "kernels/bias_rows.h"

namespace systole::kernels {
namespace {

TEST(BiasRows, add_up_to_the_bias_exactly) {
  const unsigned seed = 3;
  RecordProperty("seed", static_cast<int>(seed));
  std::mt19937 random(seed);
  for (const std::int32_t range : {0, 1, 63, 64, 127, 16129, 16192, 16193, 300000}) {
    std::vector<std::int32_t> bias = {range, -range, 0};
    for (int n = 0; n < 50; ++n) bias.push_back(static_cast<std::int32_t>(random() % (2 * static_cast<std::uint32_t>(range) + 1)) - range);
    for (const std::uint64_t spare : {0u, 5u}) {
      const BiasRows b = make_bias_rows(bias, bias_rows_needed(bias) + spare);
      for (std::size_t c = 0; c < bias.size(); ++c) {
        std::int64_t sum = 0;
        for (std::size_t r = 0; r < b.constants.size(); ++r) sum += std::int64_t{b.constants[r]} * b.rows[r * bias.size() + c];
        EXPECT_EQ(sum, bias[c]);
      }
    }
  }
}

TEST(BiasRows, need_one_row_per_127_squared) {
  EXPECT_EQ(bias_rows_needed({}), 1u);
  EXPECT_EQ(bias_rows_needed({63}), 1u);
  EXPECT_EQ(bias_rows_needed({-64}), 2u);
  EXPECT_EQ(bias_rows_needed({127 * 127 + 63}), 2u);
  EXPECT_EQ(bias_rows_needed({127 * 127 + 64}), 3u);
}

}  // namespace
}  // namespace systole::kernels
