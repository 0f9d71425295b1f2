#pragma once
// The operators of Gemmini's software library (gemmini-rocc-tests: tiled_matmul_auto, tiled_norm_auto, tiled_resadd_auto), instruction
// for instruction: same tiles, order, repeated configuration and fences. For reproducing published results; stock functions only.
#include "kernels/builder.h"
#include "kernels/tensor.h"

namespace systole::kernels {

struct PublishedMatmul {
  Matrix a, b, c;            // c int8 or int32
  Matrix d;                  // int32 bias; stride 0: one row for all; absent: none
  bool transpose_b = false;
  isa::Activation activation = isa::Activation::kNone;  // stock ones
  float scale = 1.0f;
  NonlinearConstants constants;
};

// Ends with a fence. Throws ConfigError when softmax or LayerNorm needs rows that do not fit.
void published_matmul(Builder& builder, const PublishedMatmul& matmul);

// LayerNorm of packed int32 rows (stride = columns). Ends with a fence.
void published_layer_norm(Builder& builder, const Matrix& x, const Matrix& out, float scale);

// c = a + b, int8, packed rows. Ends with a fence.
void published_residual_add(Builder& builder, const Matrix& a, const Matrix& b, const Matrix& c);

}  // namespace systole::kernels
