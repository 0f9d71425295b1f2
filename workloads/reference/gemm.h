#pragma once
// Integer matrix products of the reference: exact, wrapping, fast enough for whole BERT models.
#include <cstddef>
#include <cstdint>

namespace systole::workloads::reference {

enum class Right {
  Plain,       // b is [k, n]
  Transposed,  // b is [n, k]
};

// Instruction sets the product is written for. All give the same bits.
enum class GemmKernel { Sse2, Avx2, Avx512Vnni };
[[nodiscard]] bool is_supported(GemmKernel kernel);
[[nodiscard]] GemmKernel best_gemm_kernel();

// c [m, n] = low32(d + a [m, k] * b), all row-major and packed.
// d: null for 0; d_stride 0 repeats one row, otherwise n.
void gemm(const std::int8_t* a, const std::int8_t* b, Right right, const std::int32_t* d, std::size_t d_stride,
          std::int32_t* c, std::size_t m, std::size_t k, std::size_t n);
void gemm(GemmKernel kernel, const std::int8_t* a, const std::int8_t* b, Right right, const std::int32_t* d,
          std::size_t d_stride, std::int32_t* c, std::size_t m, std::size_t k, std::size_t n);

}  // namespace systole::workloads::reference
