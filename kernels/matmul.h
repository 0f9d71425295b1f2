#pragma once
// C = f(A * B + D + residual): tiled matrix multiplication on the loop unroller.
#include <functional>
#include <optional>
#include <vector>

#include "kernels/builder.h"
#include "kernels/tensor.h"
#include "kernels/tiling/search.h"

namespace systole::kernels {

// A term added to the accumulator before the read-out.
struct ResidualTerm {
  Matrix x;                 // [m][n], int8 or int32
  float scale = 1.0f;       // E2: fp32 scale of the load
  // Fold form instead: x (int8) times an integer diagonal, added by the array. Made by make_diagonal().
  Matrix diagonal;
  std::uint64_t passes = 0;
};

// One product with the common left operand.
struct MatmulBranch {
  Matrix b;                 // [k][n], or [n][k] when transposed
  Matrix d;                 // added first: int32 or int8, [m][n] or one repeated row (stride 0); absent: none
  float d_scale = 1.0f;     // fp32 scale of its load (E2)
  Matrix c;                 // [m][n]; int8: scaled and activated; int32: the accumulator as it is
  StoreConfig store;        // its stride is taken from c
  std::optional<ResidualTerm> residual;
  std::function<void()> before;  // called before the product's first instruction of every row block
};

// All products share A [m][k] and have equal n. Order: row block, branch, column block, k.
void matmul(Builder& builder, const Matrix& a, bool transpose_b, const std::vector<MatmulBranch>& branches);

// The same with given tiles: for read-outs that need whole rows (LayerNorm; c must be int8) or for comparing tilings.
void matmul_tiled(Builder& builder, const Matrix& a, bool transpose_b, const std::vector<MatmulBranch>& branches,
                  const TilingChoice& plan);

// Tiles of a diagonal matrix as sums of int8 diagonals: row block r of the result holds, for pass p, the square tile p of
// diagonal elements 16r.. (array size instead of 16). Returns int8 data of [round_up(n, dim)][passes * dim].
struct DiagonalTiles {
  std::uint64_t passes = 0;
  std::vector<std::int8_t> data;
};
[[nodiscard]] DiagonalTiles make_diagonal(const std::vector<std::int32_t>& diagonal, std::uint64_t dim);

}  // namespace systole::kernels
