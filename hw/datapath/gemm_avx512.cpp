// Four k per instruction. It multiplies unsigned by signed bytes, so 128 is added to every element of a and the surplus, 128 times the sum
// of a column of weights, is taken off the start value; nothing saturates.
#include "hw/datapath/gemm_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define SYSTOLE_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

namespace systole::hw {
namespace {

// The zero-masked forms of some intrinsics spare a false warning about their undefined source operand (GCC 12).
constexpr __mmask16 kAllLanes = 0xFFFF;
constexpr int kRows = 8;
constexpr int kMaxDim = 128;

// packed[k / 4][j][k % 4], 8 bit; then the surplus of every column, 32 bit.
std::size_t packed_bytes(int dim) { return static_cast<std::size_t>(dim) * dim + static_cast<std::size_t>(dim) * 4; }

SYSTOLE_TARGET void pack(int dim, const std::int8_t* weights, std::uint8_t* packed) {
  const __m512i offset = _mm512_set1_epi8(static_cast<char>(0x80));
  for (int j = 0; j < dim; j += 16) {
    __m512i surplus = _mm512_setzero_si512();
    for (int k = 0; k < dim; k += 4) {
      const auto row = [&](int i) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(weights + (k + i) * dim + j)); };
      const __m128i low01 = _mm_unpacklo_epi8(row(0), row(1));
      const __m128i high01 = _mm_unpackhi_epi8(row(0), row(1));
      const __m128i low23 = _mm_unpacklo_epi8(row(2), row(3));
      const __m128i high23 = _mm_unpackhi_epi8(row(2), row(3));
      __m512i quads = _mm512_castsi128_si512(_mm_unpacklo_epi16(low01, low23));
      quads = _mm512_inserti32x4(quads, _mm_unpackhi_epi16(low01, low23), 1);
      quads = _mm512_inserti32x4(quads, _mm_unpacklo_epi16(high01, high23), 2);
      quads = _mm512_inserti32x4(quads, _mm_unpackhi_epi16(high01, high23), 3);
      _mm512_store_si512(packed + (k / 4 * dim + j) * 4, quads);
      surplus = _mm512_dpbusd_epi32(surplus, offset, quads);
    }
    _mm512_store_si512(packed + static_cast<std::size_t>(dim) * dim + j * 4, surplus);
  }
}

template <int kCount>
SYSTOLE_TARGET void multiply_rows(int dim, const std::uint8_t* a, const std::uint8_t* packed, GemmAddend addend,
                                  const std::int8_t* addend8, std::int32_t* out, __m128i shift) {
  for (int j = 0; j < dim; j += 16) {
    const __m512i surplus = _mm512_load_si512(packed + static_cast<std::size_t>(dim) * dim + j * 4);
    __m512i sum[kCount];
    for (int r = 0; r < kCount; ++r) {
      __m512i first = _mm512_setzero_si512();
      if (addend == GemmAddend::kInt8) {
        first = _mm512_maskz_cvtepi8_epi32(kAllLanes, _mm_loadu_si128(reinterpret_cast<const __m128i*>(addend8 + r * dim + j)));
      } else if (addend == GemmAddend::kOutput) {
        first = _mm512_loadu_si512(out + r * dim + j);
      }
      sum[r] = _mm512_sub_epi32(first, surplus);
    }
    for (int k = 0; k < dim; k += 4) {
      const __m512i weights = _mm512_load_si512(packed + (k / 4 * dim + j) * 4);
      for (int r = 0; r < kCount; ++r) {
        std::int32_t quad;
        __builtin_memcpy(&quad, a + r * dim + k, 4);
        sum[r] = _mm512_dpbusd_epi32(sum[r], _mm512_set1_epi32(quad), weights);
      }
    }
    for (int r = 0; r < kCount; ++r) {
      _mm512_storeu_si512(out + r * dim + j, _mm512_maskz_sra_epi32(kAllLanes, _mm512_maskz_sll_epi32(kAllLanes, sum[r], shift), shift));
    }
  }
}

SYSTOLE_TARGET void multiply(int dim, int rows, const std::int8_t* a, const std::uint8_t* packed, GemmAddend addend,
                             const std::int8_t* addend8, std::int32_t* out, int spare_bits) {
  const __m128i shift = _mm_cvtsi32_si128(spare_bits);
  const __m128i offset = _mm_set1_epi8(static_cast<char>(0x80));
  alignas(64) std::uint8_t shifted[kRows * kMaxDim];
  for (int r = 0; r < rows;) {
    const int count = rows - r >= kRows ? kRows : 1;
    for (int i = 0; i < count * dim; i += 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a + r * dim + i));
      _mm_store_si128(reinterpret_cast<__m128i*>(shifted + i), _mm_xor_si128(bytes, offset));
    }
    const std::int8_t* add = addend == GemmAddend::kInt8 ? addend8 + r * dim : addend8;
    if (count == kRows) {
      multiply_rows<kRows>(dim, shifted, packed, addend, add, out + r * dim, shift);
    } else {
      multiply_rows<1>(dim, shifted, packed, addend, add, out + r * dim, shift);
    }
    r += count;
  }
}

SYSTOLE_TARGET std::uint32_t accumulate(std::int32_t* to, const std::int32_t* words, int count) { return accumulate_words(to, words, count); }

}  // namespace

const GemmKernel kGemmAvx512Vnni{"avx512-vnni", packed_bytes, pack, multiply, accumulate};

}  // namespace systole::hw
#endif
