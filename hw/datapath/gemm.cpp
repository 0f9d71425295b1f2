#include "hw/datapath/gemm.h"

#include <cstring>

#include "hw/datapath/gemm_kernels.h"

namespace systole::hw {
namespace {

std::size_t packed_bytes(int dim) { return (static_cast<std::size_t>(dim) * dim + 63) / 64 * 64; }

void pack(int dim, const std::int8_t* weights, std::uint8_t* packed) { std::memcpy(packed, weights, static_cast<std::size_t>(dim) * dim); }

void multiply(int dim, int rows, const std::int8_t* a, const std::uint8_t* packed, GemmAddend addend, const std::int8_t* addend8,
              std::int32_t* out, int spare_bits) {
  const auto* weights = reinterpret_cast<const std::int8_t*>(packed);
  for (int r = 0; r < rows; ++r, a += dim, out += dim) {
    for (int j = 0; j < dim; ++j) {
      std::int32_t sum = addend == GemmAddend::kOutput ? out[j] : addend == GemmAddend::kInt8 ? addend8[r * dim + j] : 0;
      for (int k = 0; k < dim; ++k) sum += a[k] * weights[k * dim + j];
      out[j] = wrap_to(sum, spare_bits);
    }
  }
}

std::uint32_t accumulate(std::int32_t* to, const std::int32_t* words, int count) { return accumulate_words(to, words, count); }

}  // namespace

const GemmKernel kGemmPortable{"portable", packed_bytes, pack, multiply, accumulate};

std::vector<const GemmKernel*> gemm_kernels(int dim) {
  std::vector<const GemmKernel*> kernels{&kGemmPortable};
#if defined(__x86_64__)
  kernels.push_back(&kGemmSse2);
  if (dim >= 8 && __builtin_cpu_supports("avx2")) kernels.push_back(&kGemmAvx2);
  if (dim >= 16 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw")) kernels.push_back(&kGemmAvx512Vnni);
#else
  static_cast<void>(dim);
#endif
  return kernels;
}

}  // namespace systole::hw
