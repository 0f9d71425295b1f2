#include "isa/model/tile_product.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace systole::isa::model {

struct TileVersion {
  const char* name;
  void (*pack)(int dim, const std::int8_t* weights, std::uint8_t* packed);
  std::uint64_t (*multiply)(int dim, int rows, const std::int8_t* a, const std::uint8_t* packed, bool accumulate, std::int32_t* out);
};

namespace {

// ---- any CPU

void pack_plain(int dim, const std::int8_t* weights, std::uint8_t* packed) { std::memcpy(packed, weights, static_cast<std::size_t>(dim) * static_cast<std::size_t>(dim)); }

std::uint64_t multiply_plain(int dim, int rows, const std::int8_t* a, const std::uint8_t* packed, bool accumulate, std::int32_t* out) {
  const auto* weights = reinterpret_cast<const std::int8_t*>(packed);
  std::uint64_t wraps = 0;
  for (int r = 0; r < rows; ++r) {
    for (int j = 0; j < dim; ++j) {
      std::int32_t product = 0;
      for (int k = 0; k < dim; ++k) product += a[r * dim + k] * weights[k * dim + j];
      std::int32_t& to = out[r * dim + j];
      if (!accumulate) {
        to = product;
        continue;
      }
      const auto sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(to) + static_cast<std::uint32_t>(product));
      wraps += static_cast<std::uint32_t>((to ^ sum) & (product ^ sum)) >> 31;
      to = sum;
    }
  }
  return wraps;
}

#if defined(__x86_64__)

// ---- AVX2: pairs of k as 16-bit numbers. packed[k / 2][j][k % 2].
#define SYSTOLE_AVX2 __attribute__((target("avx2")))

SYSTOLE_AVX2 void pack_avx2(int dim, const std::int8_t* weights, std::uint8_t* packed) {
  auto* to = reinterpret_cast<std::int16_t*>(packed);
  for (int k = 0; k < dim; k += 2) {
    for (int j = 0; j < dim; j += 8) {
      const __m128i even = _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(weights + k * dim + j)));
      const __m128i odd = _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(weights + (k + 1) * dim + j)));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + (k / 2) * 2 * dim + 2 * j), _mm_unpacklo_epi16(even, odd));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + (k / 2) * 2 * dim + 2 * j + 8), _mm_unpackhi_epi16(even, odd));
    }
  }
}

SYSTOLE_AVX2 std::uint64_t multiply_avx2(int dim, int rows, const std::int8_t* a, const std::uint8_t* packed, bool accumulate, std::int32_t* out) {
  const auto* weights = reinterpret_cast<const std::int16_t*>(packed);
  __m256i wrapped = _mm256_setzero_si256();   // sign bits: some sum of these lanes wrapped
  std::uint64_t wraps = 0;
  std::int32_t pairs[64];
  for (int r = 0; r < rows; ++r) {
    for (int k = 0; k < dim; k += 8) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(pairs + k / 2), _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(a + r * dim + k))));
    }
    for (int j = 0; j < dim; j += 8) {
      __m256i sum = _mm256_setzero_si256();
      for (int p = 0; p < dim / 2; ++p) {
        const __m256i pair = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights + p * 2 * dim + 2 * j));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_set1_epi32(pairs[p]), pair));
      }
      auto* to = reinterpret_cast<__m256i*>(out + r * dim + j);
      if (accumulate) {
        const __m256i old = _mm256_loadu_si256(to);
        const __m256i total = _mm256_add_epi32(old, sum);
        wrapped = _mm256_and_si256(_mm256_xor_si256(old, total), _mm256_xor_si256(sum, total));
        wraps += static_cast<std::uint64_t>(__builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(wrapped)))));
        sum = total;
      }
      _mm256_storeu_si256(to, sum);
    }
  }
  return wraps;
}

// ---- AVX-512 VNNI: four k at once. It multiplies unsigned by signed bytes, so 128 is added to a, and 128 times the sum of each column of
// weights is taken off. packed[k / 4][j][k % 4], then the corrections.
#define SYSTOLE_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))

SYSTOLE_VNNI void pack_vnni(int dim, const std::int8_t* weights, std::uint8_t* packed) {
  const __m512i offset = _mm512_set1_epi8(static_cast<char>(0x80));
  for (int j = 0; j < dim; j += 16) {
    __m512i correction = _mm512_setzero_si512();
    for (int k = 0; k < dim; k += 4) {
      const auto row = [&](int i) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(weights + (k + i) * dim + j)); };
      const __m128i low01 = _mm_unpacklo_epi8(row(0), row(1)), high01 = _mm_unpackhi_epi8(row(0), row(1));
      const __m128i low23 = _mm_unpacklo_epi8(row(2), row(3)), high23 = _mm_unpackhi_epi8(row(2), row(3));
      __m512i quads = _mm512_castsi128_si512(_mm_unpacklo_epi16(low01, low23));
      quads = _mm512_inserti32x4(quads, _mm_unpackhi_epi16(low01, low23), 1);
      quads = _mm512_inserti32x4(quads, _mm_unpacklo_epi16(high01, high23), 2);
      quads = _mm512_inserti32x4(quads, _mm_unpackhi_epi16(high01, high23), 3);
      _mm512_storeu_si512(packed + (k / 4 * dim + j) * 4, quads);
      correction = _mm512_dpbusd_epi32(correction, offset, quads);
    }
    _mm512_storeu_si512(packed + dim * dim + j * 4, correction);
  }
}

template <int kRows>
SYSTOLE_VNNI std::uint64_t rows_vnni(int dim, const std::uint8_t* a, const std::uint8_t* packed, bool accumulate, std::int32_t* out) {
  std::uint64_t wraps = 0;
  for (int j = 0; j < dim; j += 16) {
    const __m512i correction = _mm512_loadu_si512(packed + dim * dim + j * 4);
    __m512i sum[kRows];
    for (int r = 0; r < kRows; ++r) sum[r] = _mm512_sub_epi32(_mm512_setzero_si512(), correction);
    for (int k = 0; k < dim; k += 4) {
      const __m512i quads = _mm512_loadu_si512(packed + (k / 4 * dim + j) * 4);
      for (int r = 0; r < kRows; ++r) {
        std::int32_t four;
        std::memcpy(&four, a + r * dim + k, 4);
        sum[r] = _mm512_dpbusd_epi32(sum[r], _mm512_set1_epi32(four), quads);
      }
    }
    if (!accumulate) {
      for (int r = 0; r < kRows; ++r) _mm512_storeu_si512(out + r * dim + j, sum[r]);
      continue;
    }
    __m512i wrapped[kRows];   // the sign bit says so
    __m512i any = _mm512_setzero_si512();
    for (int r = 0; r < kRows; ++r) {
      std::int32_t* to = out + r * dim + j;
      const __m512i old = _mm512_loadu_si512(to);
      const __m512i total = _mm512_add_epi32(old, sum[r]);
      wrapped[r] = _mm512_and_si512(_mm512_xor_si512(old, total), _mm512_xor_si512(sum[r], total));
      any = _mm512_or_si512(any, wrapped[r]);
      _mm512_storeu_si512(to, total);
    }
    if (_mm512_movepi32_mask(any) == 0) continue;
    for (int r = 0; r < kRows; ++r) wraps += static_cast<std::uint64_t>(__builtin_popcount(_mm512_movepi32_mask(wrapped[r])));
  }
  return wraps;
}

SYSTOLE_VNNI std::uint64_t multiply_vnni(int dim, int rows, const std::int8_t* a, const std::uint8_t* packed, bool accumulate, std::int32_t* out) {
  constexpr int kGroup = 8;
  alignas(64) std::uint8_t shifted[kGroup * 128];
  const __m512i offset = _mm512_set1_epi8(static_cast<char>(0x80));
  std::uint64_t wraps = 0;
  for (int r = 0; r < rows;) {
    const int count = rows - r >= kGroup ? kGroup : 1;
    for (int i = 0; i < count * dim; i += 64) {
      const int left = count * dim - i;
      const __mmask64 bytes = left >= 64 ? ~__mmask64{0} : (__mmask64{1} << left) - 1;
      _mm512_store_si512(shifted + i, _mm512_xor_si512(_mm512_maskz_loadu_epi8(bytes, a + r * dim + i), offset));
    }
    std::int32_t* to = out + r * dim;
    wraps += count == kGroup ? rows_vnni<kGroup>(dim, shifted, packed, accumulate, to) : rows_vnni<1>(dim, shifted, packed, accumulate, to);
    r += count;
  }
  return wraps;
}

#endif

// What the running CPU offers for an array of this size; the fastest last.
std::vector<TileVersion> versions_for(int dim) {
  std::vector<TileVersion> result{{"plain", pack_plain, multiply_plain}};
#if defined(__x86_64__)
  if (dim % 8 == 0 && dim <= 128 && __builtin_cpu_supports("avx2")) result.push_back({"avx2", pack_avx2, multiply_avx2});
  if (dim % 16 == 0 && dim <= 128 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    result.push_back({"avx512-vnni", pack_vnni, multiply_vnni});
  }
#else
  static_cast<void>(dim);
#endif
  return result;
}

const TileVersion& version_of(int dim, std::size_t index) {
  static const std::vector<TileVersion> kAny = versions_for(1), kEights = versions_for(8), kSixteens = versions_for(16);
  const std::vector<TileVersion>& all = dim > 128 || dim % 8 != 0 ? kAny : dim % 16 == 0 ? kSixteens : kEights;
  return all[std::min(index, all.size() - 1)];
}

}  // namespace

TileProduct::TileProduct(int dim, std::size_t version)
    : dim_(dim), version_(&version_of(dim, version)), padded_(static_cast<std::size_t>(dim) * static_cast<std::size_t>(dim)), packed_(padded_.size() * 2 + static_cast<std::size_t>(dim) * 4 + 64) {}

std::vector<const char*> TileProduct::versions() {
  std::vector<const char*> names;
  for (const TileVersion& version : versions_for(16)) names.push_back(version.name);
  return names;
}

void TileProduct::set_weights(const std::int8_t* weights, int depth, int columns) {
  if (depth < dim_ || columns < dim_) {
    std::fill(padded_.begin(), padded_.end(), std::int8_t{0});
    for (int k = 0; k < depth; ++k) std::copy_n(weights + k * dim_, columns, padded_.data() + k * dim_);
    weights = padded_.data();
  }
  version_->pack(dim_, weights, packed_.data());
}

std::uint64_t TileProduct::multiply(const std::int8_t* a, int rows, bool accumulate, std::int32_t* out) const {
  return version_->multiply(dim_, rows, a, packed_.data(), accumulate, out);
}

}  // namespace systole::isa::model
