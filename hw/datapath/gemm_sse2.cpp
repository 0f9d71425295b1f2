// Products of pairs: 16-bit lanes hold two neighbouring k, one multiply-add instruction sums both.
#include "hw/datapath/gemm_kernels.h"

#if defined(__x86_64__)
#include <emmintrin.h>

#include <cstring>

namespace systole::hw {
namespace {

std::size_t packed_bytes(int dim) { return (static_cast<std::size_t>(dim) * dim * 2 + 63) / 64 * 64; }

// packed[k / 2][j][k % 2], 16 bit.
void pack(int dim, const std::int8_t* weights, std::uint8_t* packed) {
  auto* to = reinterpret_cast<std::int16_t*>(packed);
  for (int k = 0; k < dim; k += 2) {
    const std::int8_t* even = weights + k * dim;
    const std::int8_t* odd = even + dim;
    for (int j = 0; j < dim; ++j) {
      *to++ = even[j];
      *to++ = odd[j];
    }
  }
}

__m128i start(GemmAddend addend, const std::int8_t* addend8, const std::int32_t* out) {
  switch (addend) {
    case GemmAddend::kZero: return _mm_setzero_si128();
    case GemmAddend::kInt8: return _mm_set_epi32(addend8[3], addend8[2], addend8[1], addend8[0]);
    case GemmAddend::kOutput: return _mm_loadu_si128(reinterpret_cast<const __m128i*>(out));
  }
  return _mm_setzero_si128();
}

void multiply(int dim, int rows, const std::int8_t* a, const std::uint8_t* packed, GemmAddend addend, const std::int8_t* addend8,
              std::int32_t* out, int spare_bits) {
  constexpr int kMaxDim = 128;
  const __m128i shift = _mm_cvtsi32_si128(spare_bits);
  std::int32_t pairs[kMaxDim / 2];
  for (int r = 0; r < rows; ++r) {
    for (int p = 0; p < dim / 2; ++p) {
      const auto low = static_cast<std::uint16_t>(static_cast<std::int16_t>(a[r * dim + 2 * p]));
      const auto high = static_cast<std::uint16_t>(static_cast<std::int16_t>(a[r * dim + 2 * p + 1]));
      pairs[p] = static_cast<std::int32_t>(low | (static_cast<std::uint32_t>(high) << 16));
    }
    for (int j = 0; j < dim; j += 4) {
      std::int32_t* to = out + r * dim + j;
      __m128i sum = start(addend, addend8 + (addend == GemmAddend::kInt8 ? r * dim + j : 0), to);
      const std::uint8_t* w = packed + j * 4;
      for (int p = 0; p < dim / 2; ++p, w += dim * 4) {
        sum = _mm_add_epi32(sum, _mm_madd_epi16(_mm_set1_epi32(pairs[p]), _mm_load_si128(reinterpret_cast<const __m128i*>(w))));
      }
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_sra_epi32(_mm_sll_epi32(sum, shift), shift));
    }
  }
}

std::uint32_t accumulate(std::int32_t* to, const std::int32_t* words, int count) { return accumulate_words(to, words, count); }

}  // namespace

const GemmKernel kGemmSse2{"sse2", packed_bytes, pack, multiply, accumulate};

}  // namespace systole::hw
#endif
