#pragma once
// A product that stays in the accumulator, for stores that the loop unroller does not know.
#include "kernels/builder.h"
#include "kernels/normalise.h"
#include "kernels/tensor.h"

namespace systole::kernels {

struct KeptProduct {
  Matrix a;                  // [m][k]
  Matrix b;                  // [k][n], or [n][k] when transposed
  bool transpose_b = false;
  Matrix d;                  // repeated int32 row or [m][n]; absent: none
  bool accumulate = false;   // add to what the accumulator already holds at loop_accumulator_row() (d must be absent)
};

// Tiles of output that a kept product may have: half the accumulator, or all of it while the loop's half is the first one.
[[nodiscard]] std::uint64_t kept_tiles(const Builder& builder);

// Emits the loops; the caller keeps m and n within kept_tiles(). The result may be read until the next loop.
[[nodiscard]] AccumulatorLayout multiply_and_keep(Builder& builder, const KeptProduct& product);

}  // namespace systole::kernels
