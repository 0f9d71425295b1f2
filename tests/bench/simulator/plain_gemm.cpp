#include <vector>

#include "tests/bench/simulator/yardsticks.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace systole::bench {
namespace {

constexpr std::size_t kRows = 4;
constexpr std::size_t kColumns = 16;

__attribute__((target("avx2"))) void product(std::size_t m, std::size_t n, std::size_t k, const std::int8_t* a, const std::int8_t* b, std::int32_t* c) {
  std::vector<std::int16_t> wide(m * k);
  for (std::size_t i = 0; i < m * k; ++i) wide[i] = a[i];
  std::vector<std::int16_t> panel(k * kColumns);   // pairs of k side by side
  for (std::size_t j = 0; j < n; j += kColumns) {
    for (std::size_t p = 0; p < k; ++p) {
      for (std::size_t x = 0; x < kColumns; ++x) panel[(p / 2) * 2 * kColumns + 2 * x + p % 2] = b[p * n + j + x];
    }
    for (std::size_t i = 0; i < m; i += kRows) {
      __m256i sum[kRows][2];
      for (auto& row : sum) row[0] = row[1] = _mm256_setzero_si256();
      for (std::size_t p = 0; p < k; p += 2) {
        const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel.data() + p * kColumns));
        const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel.data() + p * kColumns + 16));
        for (std::size_t r = 0; r < kRows; ++r) {
          std::int32_t pair;
          __builtin_memcpy(&pair, wide.data() + (i + r) * k + p, 4);
          const __m256i factor = _mm256_set1_epi32(pair);
          sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(factor, low));
          sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(factor, high));
        }
      }
      for (std::size_t r = 0; r < kRows; ++r) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(c + (i + r) * n + j), sum[r][0]);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(c + (i + r) * n + j + 8), sum[r][1]);
      }
    }
  }
}

}  // namespace

bool plain_gemm(std::size_t m, std::size_t n, std::size_t k, const std::int8_t* a, const std::int8_t* b, std::int32_t* c) {
  if (!__builtin_cpu_supports("avx2")) return false;
  product(m, n, k, a, b, c);
  return true;
}

}  // namespace systole::bench
#else
namespace systole::bench {
bool plain_gemm(std::size_t, std::size_t, std::size_t, const std::int8_t*, const std::int8_t*, std::int32_t*) { return false; }
}  // namespace systole::bench
#endif
