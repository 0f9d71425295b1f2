#include <gtest/gtest.h>

#include <random>

#include "kernels/tiling/gemmini.h"
#include "kernels/tiling/search.h"
#include "sim/base/errors.h"

namespace systole::kernels {
namespace {

// Tilings printed by Gemmini's library, or read from the loop bounds of programs built with it: (target, m, n, k) -> (i, j, k).
TEST(GemminiTiling, gives_the_tiles_of_the_published_library) {
  const Target small;  // 256 KiB, 64 KiB
  EXPECT_EQ(gemmini_tiling(small, {128, 768, 768}), (Tiling{5, 5, 48}));
  EXPECT_EQ(gemmini_tiling(small, {128, 768, 3072}), (Tiling{5, 5, 51}));
  EXPECT_EQ(gemmini_tiling(small, {128, 512, 512}), (Tiling{5, 6, 32}));
  EXPECT_EQ(gemmini_tiling(small, {37, 200, 200}), (Tiling{3, 10, 13}));
  EXPECT_EQ(gemmini_tiling(small, {128, 64, 128}), (Tiling{8, 4, 8}));
  EXPECT_EQ(gemmini_tiling(small, {80, 256, 256}), (Tiling{5, 6, 16}));
  EXPECT_EQ(gemmini_tiling(small, {128, 128, 64}, true), (Tiling{4, 8, 4}));
  EXPECT_EQ(gemmini_tiling(small, {512, 512, 64}, true), (Tiling{1, 32, 4}));

  Target wide = small;  // 256 KiB, 128 KiB
  wide.accumulator_rows = 2048;
  EXPECT_EQ(gemmini_tiling(wide, {512, 768, 768}), (Tiling{8, 8, 32}));
  EXPECT_EQ(gemmini_tiling(wide, {512, 512, 64}, true), (Tiling{2, 32, 4}));

  Target rebalanced;  // 64 KiB, 256 KiB
  rebalanced.scratchpad_rows = 4096;
  rebalanced.accumulator_rows = 4096;
  EXPECT_EQ(gemmini_tiling(rebalanced, {512, 768, 768}), (Tiling{11, 11, 5}));
  EXPECT_EQ(gemmini_tiling(rebalanced, {512, 512, 64}, true), (Tiling{4, 32, 3}));
  EXPECT_EQ(gemmini_tiling(rebalanced, {128, 768, 768}), (Tiling{8, 13, 6}));
  EXPECT_EQ(gemmini_tiling(rebalanced, {128, 768, 768}, true), (Tiling{2, 48, 2}));
}

TEST(GemminiTiling, refuses_whole_rows_that_do_not_fit) {
  EXPECT_THROW((void)gemmini_tiling(Target{}, {128, 768, 768}, true), ConfigError);
}

TEST(GemminiTiling, is_never_estimated_below_the_cheapest_cut) {
  const unsigned seed = 2;
  RecordProperty("seed", static_cast<int>(seed));
  std::mt19937 random(seed);
  int better = 0;
  for (int n = 0; n < 300; ++n) {
    Target target;
    const TilingRequest request{{1 + random() % 512, 64 * (1 + random() % 48), 64 * (1 + random() % 48)}, false, random() % 2 == 0, 1 + random() % 36};
    const std::optional<TilingChoice> published = gemmini_choice(target, request);
    ASSERT_TRUE(published.has_value());
    EXPECT_LE(accumulator_rows(target, published->tiling), target.accumulator_rows / 2);
    if (request.split_k) {
      EXPECT_LT(published->tiling.k * 16, request.shape.k);
    }
    better += search_tiling(target, request).cycles < published->cycles ? 1 : 0;
  }
  EXPECT_GT(better, 250);
  Target target;
  TilingRequest whole{{128, 768, 768}};
  whole.whole_rows = true;
  EXPECT_FALSE(gemmini_choice(target, whole).has_value());
  target.accumulator_rows = 2048;
  EXPECT_TRUE(gemmini_choice(target, whole).has_value());
  whole.reserved_rows = 512;
  EXPECT_FALSE(gemmini_choice(target, whole).has_value());
}

TEST(SearchTiling, stays_within_the_memories_for_any_shape) {
  const unsigned seed = 1;
  RecordProperty("seed", static_cast<int>(seed));
  std::mt19937 random(seed);
  for (int n = 0; n < 500; ++n) {
    Target target;
    target.dim = 4 << random() % 4;
    target.scratchpad_rows = static_cast<std::uint32_t>(target.dim) * (64u << random() % 5);
    target.accumulator_rows = static_cast<std::uint32_t>(target.dim) * (4u << random() % 6);
    const TilingRequest request{{1 + random() % 600, 1 + random() % 600, 1 + random() % 3000}, random() % 2 == 0, random() % 2 == 0,
                                1 + random() % 3};
    const TilingChoice choice = search_tiling(target, request);
    EXPECT_LE(scratchpad_rows(target, choice.tiling), target.scratchpad_rows / 2);
    EXPECT_LE(accumulator_rows(target, choice.tiling), target.accumulator_rows / 2);
    const std::uint64_t k_steps = ceil_div(ceil_div(request.shape.k, static_cast<std::uint64_t>(target.dim)), choice.tiling.k);
    if (request.split_k && request.shape.k > static_cast<std::uint64_t>(target.dim)) {
      EXPECT_GE(k_steps, 2u);
    }
    if (choice.resident_a) {
      EXPECT_LE(k_steps, 2u);
    }
  }
}

TEST(SearchTiling, keeps_the_shared_operand_of_many_heads_in_the_scratchpad) {
  // Projections of BERT-Base: A stays while the heads pass, and each head starts with few loads.
  const TilingChoice choice = search_tiling(Target{}, {{128, 64, 768}, false, false, 12});
  EXPECT_EQ(choice.tiling, (Tiling{8, 1, 24}));
  EXPECT_TRUE(choice.resident_a);
}

}  // namespace
}  // namespace systole::kernels
