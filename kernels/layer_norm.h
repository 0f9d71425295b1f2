#pragma once
// LayerNorm of int32 rows in memory, with gamma and beta (E3) or without.
#include <cstdint>
#include <vector>

#include "kernels/builder.h"
#include "kernels/tensor.h"

namespace systole::kernels {

struct LayerNormArguments {
  Matrix x;        // [n][d] int32
  Matrix out;      // [n][d] int8
  Matrix affine;   // made by affine_rows(); absent: (x - mean) / sd only
  float scale = 1.0f;
  int pre_shift = 0;
  bool wide_variance = false;
};

// Throws ConfigError when a single row does not fit the accumulator.
void layer_norm(Builder& builder, const LayerNormArguments& arguments);

// The form in which E3 reads its parameters from the accumulator: row 2c gamma, row 2c+1 beta of column block c.
// Contents of a float matrix [2 * ceil(d / dim)][dim].
[[nodiscard]] std::vector<float> affine_rows(const std::vector<float>& gamma, const std::vector<float>& beta, std::uint64_t dim);

}  // namespace systole::kernels
