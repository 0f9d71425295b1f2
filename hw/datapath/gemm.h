#pragma once
// Integer matrix products of one array-sized tile: int8 x int8 -> int32, wrapped to the width of a partial sum. The fastest version that
// the running CPU offers is chosen at run time; all give the same bits.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace systole::hw {

// What the product is added to.
enum class GemmAddend : std::uint8_t { kZero, kInt8, kOutput };

struct GemmKernel {
  const char* name;
  // Bytes of a packed weight matrix, a multiple of 64.
  std::size_t (*packed_bytes)(int dim);
  // weights: dim x dim, row-major.  packed: 64-byte aligned.
  void (*pack)(int dim, const std::int8_t* weights, std::uint8_t* packed);
  // out[r][j] = wrap(addend[r][j] + sum_k a[r][k] * weights[k][j]) for r < rows, j < dim; a, addend and out are row-major, dim wide.
  // `addend8` is read for kInt8 only. wrap keeps the low 32 - spare_bits bits, sign-extended.
  void (*multiply)(int dim, int rows, const std::int8_t* a, const std::uint8_t* packed, GemmAddend addend, const std::int8_t* addend8,
                   std::int32_t* out, int spare_bits);
  // to[i] += words[i], in 32 bits that wrap. Returns how many sums did not fit.
  std::uint32_t (*accumulate)(std::int32_t* to, const std::int32_t* words, int count);
};

// What every version of `accumulate` does; each version compiles it for its instructions.
inline __attribute__((always_inline)) std::uint32_t accumulate_words(std::int32_t* __restrict to, const std::int32_t* __restrict words, int count) {
  std::uint32_t wrapped = 0;
  for (int i = 0; i < count; ++i) {
    const auto sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(to[i]) + static_cast<std::uint32_t>(words[i]));
    wrapped += static_cast<std::uint32_t>((to[i] ^ sum) & (words[i] ^ sum)) >> 31;
    to[i] = sum;
  }
  return wrapped;
}

// Every version that this CPU can run for arrays of this size; the last one is the fastest.
[[nodiscard]] std::vector<const GemmKernel*> gemm_kernels(int dim);

// The low 32 - spare_bits bits of x, sign-extended.
inline std::int32_t wrap_to(std::int32_t x, int spare_bits) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(x) << spare_bits) >> spare_bits;
}

}  // namespace systole::hw
