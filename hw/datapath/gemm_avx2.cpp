// As the SSE2 version, 8 columns at a time and four rows per load of the weights.
#include "hw/datapath/gemm_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define SYSTOLE_TARGET __attribute__((target("avx2")))

namespace systole::hw {
namespace {

constexpr int kMaxDim = 128;
constexpr int kRows = 4;

std::size_t packed_bytes(int dim) { return (static_cast<std::size_t>(dim) * dim * 2 + 63) / 64 * 64; }

// packed[k / 2][j][k % 2], 16 bit.
SYSTOLE_TARGET void pack(int dim, const std::int8_t* weights, std::uint8_t* packed) {
  for (int k = 0; k < dim; k += 2) {
    for (int j = 0; j < dim; j += 8) {
      const __m128i even = _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(weights + k * dim + j)));
      const __m128i odd = _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(weights + (k + 1) * dim + j)));
      auto* to = reinterpret_cast<__m128i*>(packed + (k / 2 * dim + j) * 4);
      _mm_store_si128(to, _mm_unpacklo_epi16(even, odd));
      _mm_store_si128(to + 1, _mm_unpackhi_epi16(even, odd));
    }
  }
}

SYSTOLE_TARGET inline __m256i start(GemmAddend addend, const std::int8_t* addend8, const std::int32_t* out) {
  switch (addend) {
    case GemmAddend::kZero: return _mm256_setzero_si256();
    case GemmAddend::kInt8: return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(addend8)));
    case GemmAddend::kOutput: return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(out));
  }
  return _mm256_setzero_si256();
}

template <int kCount>
SYSTOLE_TARGET void multiply_rows(int dim, const std::int8_t* a, const std::uint8_t* packed, GemmAddend addend, const std::int8_t* addend8,
                                  std::int32_t* out, __m128i shift) {
  alignas(32) std::int32_t pairs[kCount][kMaxDim / 2];
  for (int r = 0; r < kCount; ++r) {
    for (int k = 0; k < dim; k += 8) {
      _mm_store_si128(reinterpret_cast<__m128i*>(pairs[r] + k / 2),
                      _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(a + r * dim + k))));
    }
  }
  for (int j = 0; j < dim; j += 8) {
    __m256i sum[kCount];
    for (int r = 0; r < kCount; ++r) {
      sum[r] = start(addend, addend == GemmAddend::kInt8 ? addend8 + r * dim + j : addend8, out + r * dim + j);
    }
    const std::uint8_t* w = packed + j * 4;
    for (int p = 0; p < dim / 2; ++p, w += dim * 4) {
      const __m256i weights = _mm256_load_si256(reinterpret_cast<const __m256i*>(w));
      for (int r = 0; r < kCount; ++r) sum[r] = _mm256_add_epi32(sum[r], _mm256_madd_epi16(_mm256_set1_epi32(pairs[r][p]), weights));
    }
    for (int r = 0; r < kCount; ++r) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + r * dim + j), _mm256_sra_epi32(_mm256_sll_epi32(sum[r], shift), shift));
    }
  }
}

SYSTOLE_TARGET void multiply(int dim, int rows, const std::int8_t* a, const std::uint8_t* packed, GemmAddend addend,
                             const std::int8_t* addend8, std::int32_t* out, int spare_bits) {
  const __m128i shift = _mm_cvtsi32_si128(spare_bits);
  const auto behind = [&](int r) { return addend == GemmAddend::kInt8 ? addend8 + r * dim : addend8; };
  int r = 0;
  for (; r + kRows <= rows; r += kRows) multiply_rows<kRows>(dim, a + r * dim, packed, addend, behind(r), out + r * dim, shift);
  for (; r < rows; ++r) multiply_rows<1>(dim, a + r * dim, packed, addend, behind(r), out + r * dim, shift);
}

SYSTOLE_TARGET std::uint32_t accumulate(std::int32_t* to, const std::int32_t* words, int count) { return accumulate_words(to, words, count); }

}  // namespace

const GemmKernel kGemmAvx2{"avx2", packed_bytes, pack, multiply, accumulate};

}  // namespace systole::hw
#endif
