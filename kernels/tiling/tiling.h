#pragma once
// How a matrix multiplication is cut into loops: counts of array-sized tiles per loop.
#include <cstdint>

namespace systole::kernels {

struct Tiling {
  std::uint64_t i = 1, j = 1, k = 1;
  friend bool operator==(const Tiling& a, const Tiling& b) { return a.i == b.i && a.j == b.j && a.k == b.k; }
};

// Sizes in elements: C[m][n] = A[m][k] * B[k][n].
struct MatmulShape {
  std::uint64_t m = 1, n = 1, k = 1;
  friend bool operator==(const MatmulShape& a, const MatmulShape& b) { return a.m == b.m && a.n == b.n && a.k == b.k; }
};

}  // namespace systole::kernels
