#pragma once
// A product whose output tiles fit the accumulator at once: one loop per part of K. Either the last loop stores it, or it stays
// for stores that the loop unroller does not know.
#include "kernels/builder.h"
#include "kernels/normalise.h"
#include "kernels/tensor.h"

namespace systole::kernels {

struct BlockProduct {
  Matrix a;                  // [m][k]
  Matrix b;                  // [k][n], or [n][k] when transposed
  bool transpose_b = false;
  Matrix d;                  // bias int32, or int8 (scaled by d_scale); stride 0: one row for all; absent: none
  float d_scale = 1.0f;      // E2
  Matrix c;                  // [m][n] int8 through `store`, or int32; absent: the product stays in the accumulator
  StoreConfig store;
};

// Output tiles that a stored product may have, and one that stays: it may use the whole accumulator while the loop's half is
// the first one.
[[nodiscard]] std::uint64_t stored_tiles(const Target& target);
[[nodiscard]] std::uint64_t kept_tiles(const Builder& builder);

// Emits the loops. kSoftmax, kExp, kLayerNorm and kLayerNormAffine are stored in three passes per row. A product that stays may be
// read until the next loop.
AccumulatorLayout multiply_block(Builder& builder, const BlockProduct& product);

}  // namespace systole::kernels
