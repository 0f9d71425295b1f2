#include "hw/datapath/gemm.h"

#include <gtest/gtest.h>

#include <random>

namespace systole::hw {
namespace {

TEST(Gemm, EveryKernelGivesTheSameBits) {
  std::mt19937 random(1);
  for (const int dim : {4, 8, 16, 32, 64, 128}) {
    for (const GemmKernel* kernel : gemm_kernels(dim)) {
      for (int round = 0; round < 6; ++round) {
        SCOPED_TRACE(std::string(kernel->name) + " dim " + std::to_string(dim) + " round " + std::to_string(round));
        const bool extreme = round == 0;
        const auto byte = [&] { return static_cast<std::int8_t>(extreme ? -128 : static_cast<int>(random() % 256) - 128); };
        const auto elements = static_cast<std::size_t>(dim) * static_cast<std::size_t>(dim);
        const int rows = round < 2 ? dim : static_cast<int>(random() % static_cast<unsigned>(dim)) + 1;
        const int spare = round == 1 ? 0 : round == 2 ? 16 : 12;
        std::vector<std::int8_t> a(elements), w(elements), b(elements);
        std::vector<std::int32_t> out(elements);
        for (auto* v : {&a, &w, &b}) {
          for (auto& x : *v) x = byte();
        }
        for (auto& x : out) x = static_cast<std::int32_t>(random() % 2000000) - 1000000;
        std::vector<std::uint8_t> storage(kernel->packed_bytes(dim) + 64);
        auto* packed = storage.data() + (64 - reinterpret_cast<std::uintptr_t>(storage.data()) % 64) % 64;
        kernel->pack(dim, w.data(), packed);
        for (const GemmAddend addend : {GemmAddend::kZero, GemmAddend::kInt8, GemmAddend::kOutput}) {
          std::vector<std::int32_t> expected = out;
          for (int r = 0; r < rows; ++r) {
            for (int j = 0; j < dim; ++j) {
              const auto at = static_cast<std::size_t>(r * dim + j);
              std::int64_t sum = addend == GemmAddend::kZero ? 0 : addend == GemmAddend::kInt8 ? b[at] : out[at];
              for (int k = 0; k < dim; ++k) sum += std::int64_t{a[static_cast<std::size_t>(r * dim + k)]} * w[static_cast<std::size_t>(k * dim + j)];
              const std::int64_t span = std::int64_t{1} << (32 - spare);
              sum = ((sum % span) + span) % span;
              expected[at] = static_cast<std::int32_t>(sum >= span / 2 ? sum - span : sum);
            }
          }
          std::vector<std::int32_t> result = out;
          kernel->multiply(dim, rows, a.data(), packed, addend, b.data(), result.data(), spare);
          EXPECT_EQ(result, expected);
        }
      }
    }
  }
}

}  // namespace
}  // namespace systole::hw
