#include "workloads/reference/gemm.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "sim/base/errors.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace systole::workloads::reference {
namespace {

// Every kernel computes a strip of `kRows` rows times one panel of columns. The panel is packed so that one vector load
// brings, for each of its columns, a group of consecutive k: 2 int16 (multiply-add of pairs) or 4 int8 (VNNI).
constexpr std::size_t kRows = 4;

std::size_t round_up(std::size_t x, std::size_t to) { return (x + to - 1) / to * to; }

struct Shape3 {
  std::size_t m, k, n;
};

// panel[k / kGroup][column][k % kGroup], zero beyond the matrix.
template <typename T, std::size_t kGroup>
void pack_panel(const std::int8_t* b, Right right, const Shape3& shape, std::size_t first, std::size_t columns,
                T* panel) {
  const std::size_t groups = round_up(shape.k, kGroup) / kGroup;
  std::memset(panel, 0, groups * columns * kGroup * sizeof(T));
  const std::size_t used = std::min(columns, shape.n - first);
  if (right == Right::Plain) {
    for (std::size_t k = 0; k < shape.k; ++k) {
      const std::int8_t* from = b + k * shape.n + first;
      T* to = panel + (k / kGroup) * columns * kGroup + k % kGroup;
      for (std::size_t n = 0; n < used; ++n) {
        to[n * kGroup] = from[n];
      }
    }
  } else {
    for (std::size_t n = 0; n < used; ++n) {
      const std::int8_t* from = b + (first + n) * shape.k;
      for (std::size_t k = 0; k < shape.k; ++k) {
        panel[((k / kGroup) * columns + n) * kGroup + k % kGroup] = from[k];
      }
    }
  }
}

// Writes one finished strip: adds d and drops the padding.
void store_strip(const std::int32_t* strip, std::size_t columns, const std::int32_t* d, std::size_t d_stride,
                 std::int32_t* c, const Shape3& shape, std::size_t row, std::size_t first) {
  const std::size_t rows = std::min(kRows, shape.m - row);
  const std::size_t used = std::min(columns, shape.n - first);
  for (std::size_t r = 0; r < rows; ++r) {
    std::int32_t* to = c + (row + r) * shape.n + first;
    const std::int32_t* from = strip + r * columns;
    if (d == nullptr) {
      std::memcpy(to, from, used * sizeof *to);
      continue;
    }
    const std::int32_t* add = d + (row + r) * d_stride + first;
    for (std::size_t n = 0; n < used; ++n) {
      to[n] = static_cast<std::int32_t>(static_cast<std::uint32_t>(from[n]) + static_cast<std::uint32_t>(add[n]));
    }
  }
}

#if defined(__x86_64__)

// Left operand widened to int16, k padded to pairs, m padded to strips.
std::vector<std::int16_t> widen_left(const std::int8_t* a, const Shape3& shape) {
  const std::size_t k = round_up(shape.k, 2);
  std::vector<std::int16_t> wide(round_up(shape.m, kRows) * k);
  for (std::size_t r = 0; r < shape.m; ++r) {
    std::copy(a + r * shape.k, a + (r + 1) * shape.k, wide.data() + r * k);
  }
  return wide;
}

constexpr std::size_t kSse2Columns = 8;

void strip_sse2(const std::int16_t* a, const std::int16_t* panel, std::size_t k, std::int32_t* strip) {
  __m128i sum[kRows][2] = {};
  for (std::size_t p = 0; p < k; p += 2) {
    const __m128i b0 = _mm_loadu_si128(reinterpret_cast<const __m128i*>(panel + p * kSse2Columns));
    const __m128i b1 = _mm_loadu_si128(reinterpret_cast<const __m128i*>(panel + p * kSse2Columns + 8));
    for (std::size_t r = 0; r < kRows; ++r) {
      std::int32_t pair = 0;
      std::memcpy(&pair, a + r * k + p, sizeof pair);
      const __m128i left = _mm_set1_epi32(pair);
      sum[r][0] = _mm_add_epi32(sum[r][0], _mm_madd_epi16(left, b0));
      sum[r][1] = _mm_add_epi32(sum[r][1], _mm_madd_epi16(left, b1));
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(strip + r * kSse2Columns), sum[r][0]);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(strip + r * kSse2Columns + 4), sum[r][1]);
  }
}

constexpr std::size_t kAvx2Columns = 16;

__attribute__((target("avx2"))) void strip_avx2(const std::int16_t* a, const std::int16_t* panel, std::size_t k,
                                                std::int32_t* strip) {
  __m256i sum[kRows][2];
  for (auto& row : sum) {
    row[0] = row[1] = _mm256_setzero_si256();
  }
  for (std::size_t p = 0; p < k; p += 2) {
    const __m256i b0 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel + p * kAvx2Columns));
    const __m256i b1 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel + p * kAvx2Columns + 16));
#pragma GCC unroll 4
    for (std::size_t r = 0; r < kRows; ++r) {
      std::int32_t pair = 0;
      std::memcpy(&pair, a + r * k + p, sizeof pair);
      const __m256i left = _mm256_set1_epi32(pair);
      sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(left, b0));
      sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(left, b1));
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(strip + r * kAvx2Columns), sum[r][0]);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(strip + r * kAvx2Columns + 8), sum[r][1]);
  }
}

template <std::size_t kColumns, typename Strip>
void gemm_pairs(Strip compute, const std::int8_t* a, const std::int8_t* b, Right right, const std::int32_t* d,
                std::size_t d_stride, std::int32_t* c, const Shape3& shape) {
  const std::size_t k = round_up(shape.k, 2);
  const std::vector<std::int16_t> left = widen_left(a, shape);
  std::vector<std::int16_t> panel(k * kColumns);
  std::int32_t strip[kRows * kColumns];
  for (std::size_t first = 0; first < shape.n; first += kColumns) {
    pack_panel<std::int16_t, 2>(b, right, shape, first, kColumns, panel.data());
    for (std::size_t row = 0; row < shape.m; row += kRows) {
      compute(left.data() + row * k, panel.data(), k, strip);
      store_strip(strip, kColumns, d, d_stride, c, shape, row, first);
    }
  }
}

constexpr std::size_t kVnniColumns = 64;

// The instruction multiplies unsigned by signed bytes: the left operand is a + 128, and 128 * (sum of the column) is
// taken off.
__attribute__((target("avx512f,avx512bw,avx512vnni"))) void strip_vnni(const std::uint8_t* a, const std::int8_t* panel,
                                                                       std::size_t k, const std::int32_t* correction,
                                                                       std::int32_t* strip) {
  __m512i sum[kRows][4];
  for (std::size_t v = 0; v < 4; ++v) {
    const __m512i start = _mm512_loadu_si512(correction + v * 16);
    for (auto& row : sum) {
      row[v] = start;
    }
  }
  for (std::size_t p = 0; p < k; p += 4) {
    const std::int8_t* columns = panel + p * kVnniColumns;
    const __m512i b0 = _mm512_loadu_si512(columns);
    const __m512i b1 = _mm512_loadu_si512(columns + 64);
    const __m512i b2 = _mm512_loadu_si512(columns + 128);
    const __m512i b3 = _mm512_loadu_si512(columns + 192);
#pragma GCC unroll 4
    for (std::size_t r = 0; r < kRows; ++r) {
      std::int32_t four = 0;
      std::memcpy(&four, a + r * k + p, sizeof four);
      const __m512i left = _mm512_set1_epi32(four);
      sum[r][0] = _mm512_dpbusd_epi32(sum[r][0], left, b0);
      sum[r][1] = _mm512_dpbusd_epi32(sum[r][1], left, b1);
      sum[r][2] = _mm512_dpbusd_epi32(sum[r][2], left, b2);
      sum[r][3] = _mm512_dpbusd_epi32(sum[r][3], left, b3);
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < 4; ++v) {
      _mm512_storeu_si512(strip + r * kVnniColumns + v * 16, sum[r][v]);
    }
  }
}

void gemm_vnni(const std::int8_t* a, const std::int8_t* b, Right right, const std::int32_t* d, std::size_t d_stride,
               std::int32_t* c, const Shape3& shape) {
  const std::size_t k = round_up(shape.k, 4);
  // Padding is multiplied by zeros of the panel, so its value does not matter.
  std::vector<std::uint8_t> left(round_up(shape.m, kRows) * k);
  for (std::size_t r = 0; r < shape.m; ++r) {
    for (std::size_t p = 0; p < shape.k; ++p) {
      left[r * k + p] = static_cast<std::uint8_t>(static_cast<std::uint8_t>(a[r * shape.k + p]) ^ 0x80U);
    }
  }
  std::vector<std::int8_t> panel(k * kVnniColumns);
  std::int32_t strip[kRows * kVnniColumns];
  for (std::size_t first = 0; first < shape.n; first += kVnniColumns) {
    pack_panel<std::int8_t, 4>(b, right, shape, first, kVnniColumns, panel.data());
    std::uint32_t sums[kVnniColumns] = {};
    for (std::size_t group = 0; group < k / 4; ++group) {
      const std::int8_t* from = panel.data() + group * kVnniColumns * 4;
      for (std::size_t n = 0; n < kVnniColumns; ++n) {
        sums[n] += static_cast<std::uint32_t>(from[4 * n] + from[4 * n + 1] + from[4 * n + 2] + from[4 * n + 3]);
      }
    }
    std::int32_t correction[kVnniColumns];
    for (std::size_t n = 0; n < kVnniColumns; ++n) {
      correction[n] = static_cast<std::int32_t>(0U - 128U * sums[n]);
    }
    for (std::size_t row = 0; row < shape.m; row += kRows) {
      strip_vnni(left.data() + row * k, panel.data(), k, correction, strip);
      store_strip(strip, kVnniColumns, d, d_stride, c, shape, row, first);
    }
  }
}

#endif

}  // namespace

bool is_supported(GemmKernel kernel) {
  switch (kernel) {
    case GemmKernel::Sse2:
      return true;
#if defined(__x86_64__)
    case GemmKernel::Avx2:
      return __builtin_cpu_supports("avx2") != 0;
    case GemmKernel::Avx512Vnni:
      return __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vnni") != 0;
#else
    case GemmKernel::Avx2:
    case GemmKernel::Avx512Vnni:
      return false;
#endif
  }
  SYSTOLE_CHECK(false);
  return false;
}

GemmKernel best_gemm_kernel() {
  for (const GemmKernel kernel : {GemmKernel::Avx512Vnni, GemmKernel::Avx2}) {
    if (is_supported(kernel)) {
      return kernel;
    }
  }
  return GemmKernel::Sse2;
}

void gemm(GemmKernel kernel, const std::int8_t* a, const std::int8_t* b, Right right, const std::int32_t* d,
          std::size_t d_stride, std::int32_t* c, std::size_t m, std::size_t k, std::size_t n) {
  SYSTOLE_CHECK(is_supported(kernel));
  const Shape3 shape{m, k, n};
#if defined(__x86_64__)
  switch (kernel) {
    case GemmKernel::Sse2:
      return gemm_pairs<kSse2Columns>(strip_sse2, a, b, right, d, d_stride, c, shape);
    case GemmKernel::Avx2:
      return gemm_pairs<kAvx2Columns>(strip_avx2, a, b, right, d, d_stride, c, shape);
    case GemmKernel::Avx512Vnni:
      return gemm_vnni(a, b, right, d, d_stride, c, shape);
  }
#else
  for (std::size_t r = 0; r < m; ++r) {
    for (std::size_t j = 0; j < n; ++j) {
      std::uint32_t sum = d == nullptr ? 0 : static_cast<std::uint32_t>(d[r * d_stride + j]);
      for (std::size_t p = 0; p < k; ++p) {
        sum += static_cast<std::uint32_t>(a[r * k + p] * (right == Right::Plain ? b[p * n + j] : b[j * k + p]));
      }
      c[r * n + j] = static_cast<std::int32_t>(sum);
    }
  }
#endif
}

void gemm(const std::int8_t* a, const std::int8_t* b, Right right, const std::int32_t* d, std::size_t d_stride,
          std::int32_t* c, std::size_t m, std::size_t k, std::size_t n) {
  gemm(best_gemm_kernel(), a, b, right, d, d_stride, c, m, k, n);
}

}  // namespace systole::workloads::reference
