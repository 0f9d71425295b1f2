#pragma once
// fp32 matrix products with one fixed order of additions: c[i][j] is summed over k from the first to the last, each
// product rounded before it is added. The bits therefore depend on neither the instruction set nor the number of
// threads.
#include <cstddef>

#include "workloads/reference/gemm.h"

namespace systole::workloads::reference {

// A row-major block inside a larger matrix.
struct FloatBlock {
  const float* data = nullptr;
  std::size_t stride = 0;  // elements from row to row
};

enum class FloatKernel { Sse2, Avx2, Avx512 };
[[nodiscard]] bool is_supported(FloatKernel kernel);
[[nodiscard]] FloatKernel best_float_kernel();

// c [m, n] = a [m, k] * b + bias; b is [k, n] or, Transposed, [n, k]. bias: n values or null.
void float_gemm(FloatBlock a, FloatBlock b, Right right, const float* bias, float* c, std::size_t c_stride,
                std::size_t m, std::size_t k, std::size_t n);
void float_gemm(FloatKernel kernel, FloatBlock a, FloatBlock b, Right right, const float* bias, float* c,
                std::size_t c_stride, std::size_t m, std::size_t k, std::size_t n);

}  // namespace systole::workloads::reference
