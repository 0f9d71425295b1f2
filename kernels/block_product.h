#pragma once
// A product whose output tiles fit half the accumulator at once: one loop per part of K, the last of which stores.
#include "kernels/builder.h"
#include "kernels/tensor.h"

namespace systole::kernels {

struct BlockProduct {
  Matrix a;                  // [m][k]
  Matrix b;                  // [k][n], or [n][k] when transposed
  bool transpose_b = false;
  Matrix d;                  // bias int32, or int8 (scaled by d_scale); stride 0: one row for all; absent: none
  float d_scale = 1.0f;      // E2
  Matrix c;                  // [m][n] int8 through `store`, or int32
  StoreConfig store;
  // Nothing can be loaded ahead of it (another head, another read-out): a short first loop starts sooner, and the operands of the next
  // come meanwhile. Not for blocks in a row: the unroller takes two loops, and one that still stores three passes occupies one.
  bool cold = false;
  std::uint32_t row_scales = 0;  // kExp, kRowScale: entry of the first row, a multiple of dim (E4)
};

// Output tiles that a product may have.
[[nodiscard]] std::uint64_t stored_tiles(const Target& target);

// Emits the loops. kSoftmax, kExp, kLayerNorm and kLayerNormAffine are stored in three passes per row.
void multiply_block(Builder& builder, const BlockProduct& product);

}  // namespace systole::kernels
