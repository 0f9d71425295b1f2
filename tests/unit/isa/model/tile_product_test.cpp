#include "isa/model/tile_product.h"

#include <gtest/gtest.h>

#include <random>

namespace systole::isa::model {
namespace {

// Every version that this CPU has, against sums in 64 bits.
TEST(TileProduct, every_version_gives_the_exact_product_and_counts_wraps) {
  std::mt19937 random(1);
  std::cout << "seed 1\n";
  for (const int dim : {4, 8, 16, 32, 64, 128}) {
    for (std::size_t version = 0; version < TileProduct::versions().size(); ++version) {
      for (int trial = 0; trial < 20; ++trial) {
        const auto size = static_cast<std::size_t>(dim) * static_cast<std::size_t>(dim);
        std::vector<std::int8_t> a(size), w(size);
        const bool extreme = trial % 2 != 0;
        for (auto* matrix : {&a, &w}) {
          for (std::int8_t& value : *matrix) value = static_cast<std::int8_t>(extreme ? (random() % 2 == 0 ? -128 : 127) : random());
        }
        std::vector<std::int32_t> out(size);
        for (std::int32_t& value : out) value = static_cast<std::int32_t>(trial % 3 == 0 ? random() | 0x7FF00000u : random());
        const int rows = 1 + static_cast<int>(random() % static_cast<unsigned>(dim));
        const int depth = trial < 10 ? dim : 1 + static_cast<int>(random() % static_cast<unsigned>(dim));
        const int columns = trial < 10 ? dim : 1 + static_cast<int>(random() % static_cast<unsigned>(dim));
        const bool accumulate = random() % 2 == 0;
        std::vector<std::int32_t> expected = out;
        std::uint64_t wraps = 0;
        for (int r = 0; r < rows; ++r) {
          for (int j = 0; j < dim; ++j) {
            std::int64_t sum = 0;
            for (int k = 0; k < depth && j < columns; ++k) sum += a[static_cast<std::size_t>(r * dim + k)] * w[static_cast<std::size_t>(k * dim + j)];
            std::int32_t& to = expected[static_cast<std::size_t>(r * dim + j)];
            const std::int64_t total = sum + (accumulate ? to : 0);
            to = static_cast<std::int32_t>(static_cast<std::uint32_t>(total));
            wraps += to != total ? 1 : 0;
          }
        }
        TileProduct tile(dim, version);
        tile.set_weights(w.data(), depth, columns);
        EXPECT_EQ(tile.multiply(a.data(), rows, accumulate, out.data()), wraps);
        ASSERT_EQ(out, expected) << "dim " << dim << " version " << TileProduct::versions()[version] << " trial " << trial;
      }
    }
  }
}

}  // namespace
}  // namespace systole::isa::model
