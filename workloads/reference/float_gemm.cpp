#include "workloads/reference/float_gemm.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "sim/base/errors.h"

namespace systole::workloads::reference {
namespace {

constexpr std::size_t kRows = 4;

// GCC's portable vectors; the target attribute of the caller decides which registers they live in.
using Vector128 = float __attribute__((vector_size(16)));
using Vector256 = float __attribute__((vector_size(32)));
using Vector512 = float __attribute__((vector_size(64)));

template <typename Vector>
constexpr std::size_t kLanes = sizeof(Vector) / sizeof(float);

// kStripRows rows of a times one panel [k][kVectors * lanes]; sums go to out [kStripRows][columns].
template <typename Vector, std::size_t kStripRows, std::size_t kVectors>
inline __attribute__((always_inline)) void strip(FloatBlock a, const float* panel, std::size_t k, float* out) {
  // Element by element and unrolled: as whole arrays, sums and operands would live in memory instead of registers.
  Vector sum[kStripRows][kVectors] = {};
  for (std::size_t p = 0; p < k; ++p) {
    Vector b[kVectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      std::memcpy(&b[v], panel + (p * kVectors + v) * kLanes<Vector>, sizeof(Vector));
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kStripRows; ++r) {
      const float left = a.data[r * a.stride + p];
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        sum[r][v] += left * b[v];
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kStripRows; ++r) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      std::memcpy(out + (r * kVectors + v) * kLanes<Vector>, &sum[r][v], sizeof(Vector));
    }
  }
}

// All rows times one panel.
template <typename Vector, std::size_t kVectors>
inline __attribute__((always_inline)) void panel_product(FloatBlock a, const float* panel, std::size_t m, std::size_t k,
                                                         float* out) {
  constexpr std::size_t kColumns = kVectors * kLanes<Vector>;
  std::size_t row = 0;
  for (; row + kRows <= m; row += kRows) {
    strip<Vector, kRows, kVectors>({a.data + row * a.stride, a.stride}, panel, k, out + row * kColumns);
  }
  for (; row < m; ++row) {
    strip<Vector, 1, kVectors>({a.data + row * a.stride, a.stride}, panel, k, out + row * kColumns);
  }
}

using PanelProduct = void (*)(FloatBlock a, const float* panel, std::size_t m, std::size_t k, float* out);

constexpr std::size_t kSse2Columns = 2 * kLanes<Vector128>;
void panel_sse2(FloatBlock a, const float* panel, std::size_t m, std::size_t k, float* out) {
  panel_product<Vector128, 2>(a, panel, m, k, out);
}

#if defined(__x86_64__)
constexpr std::size_t kAvx2Columns = 2 * kLanes<Vector256>;
__attribute__((target("avx2"))) void panel_avx2(FloatBlock a, const float* panel, std::size_t m, std::size_t k,
                                                float* out) {
  panel_product<Vector256, 2>(a, panel, m, k, out);
}

constexpr std::size_t kAvx512Columns = 4 * kLanes<Vector512>;
__attribute__((target("avx512f"))) void panel_avx512(FloatBlock a, const float* panel, std::size_t m, std::size_t k,
                                                     float* out) {
  panel_product<Vector512, 4>(a, panel, m, k, out);
}
#endif

void pack(FloatBlock b, Right right, std::size_t k, std::size_t first, std::size_t used, std::size_t columns,
          float* panel) {
  if (used < columns) {
    std::fill(panel, panel + k * columns, 0.0F);
  }
  if (right == Right::Plain) {
    for (std::size_t p = 0; p < k; ++p) {
      std::memcpy(panel + p * columns, b.data + p * b.stride + first, used * sizeof(float));
    }
    return;
  }
  for (std::size_t n = 0; n < used; ++n) {
    for (std::size_t p = 0; p < k; ++p) {
      panel[p * columns + n] = b.data[(first + n) * b.stride + p];
    }
  }
}

struct Kernel {
  PanelProduct product;
  std::size_t columns;
};

Kernel kernel_of(FloatKernel kernel) {
  switch (kernel) {
    case FloatKernel::Sse2:
      return {panel_sse2, kSse2Columns};
#if defined(__x86_64__)
    case FloatKernel::Avx2:
      return {panel_avx2, kAvx2Columns};
    case FloatKernel::Avx512:
      return {panel_avx512, kAvx512Columns};
#else
    case FloatKernel::Avx2:
    case FloatKernel::Avx512:
      break;
#endif
  }
  SYSTOLE_CHECK(false);
  return {};
}

}  // namespace

bool is_supported(FloatKernel kernel) {
  switch (kernel) {
    case FloatKernel::Sse2:
      return true;
#if defined(__x86_64__)
    case FloatKernel::Avx2:
      return __builtin_cpu_supports("avx2") != 0;
    case FloatKernel::Avx512:
      return __builtin_cpu_supports("avx512f") != 0;
#else
    case FloatKernel::Avx2:
    case FloatKernel::Avx512:
      return false;
#endif
  }
  SYSTOLE_CHECK(false);
  return false;
}

FloatKernel best_float_kernel() {
  for (const FloatKernel kernel : {FloatKernel::Avx512, FloatKernel::Avx2}) {
    if (is_supported(kernel)) {
      return kernel;
    }
  }
  return FloatKernel::Sse2;
}

void float_gemm(FloatKernel kernel, FloatBlock a, FloatBlock b, Right right, const float* bias, float* c,
                std::size_t c_stride, std::size_t m, std::size_t k, std::size_t n) {
  const Kernel chosen = kernel_of(kernel);
  std::vector<float> panel(k * chosen.columns);
  std::vector<float> out(m * chosen.columns);
  for (std::size_t first = 0; first < n; first += chosen.columns) {
    const std::size_t used = std::min(chosen.columns, n - first);
    pack(b, right, k, first, used, chosen.columns, panel.data());
    chosen.product(a, panel.data(), m, k, out.data());
    for (std::size_t r = 0; r < m; ++r) {
      const float* from = out.data() + r * chosen.columns;
      float* to = c + r * c_stride + first;
      for (std::size_t j = 0; j < used; ++j) {
        to[j] = bias == nullptr ? from[j] : from[j] + bias[first + j];
      }
    }
  }
}

void float_gemm(FloatBlock a, FloatBlock b, Right right, const float* bias, float* c, std::size_t c_stride,
                std::size_t m, std::size_t k, std::size_t n) {
  float_gemm(best_float_kernel(), a, b, right, bias, c, c_stride, m, k, n);
}

}  // namespace systole::workloads::reference
