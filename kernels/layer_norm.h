#pragma once
// LayerNorm of int32 or int8 rows in memory, with gamma and beta (E3) or without.
#include <cstdint>
#include <vector>

#include "kernels/builder.h"
#include "kernels/tensor.h"

namespace systole::kernels {

struct LayerNormArguments {
  Matrix x;        // [n][d] int32 or int8
  float x_scale = 1.0f;  // of x on its way into the accumulator (E2)
  Matrix out;      // [n][d] int8
  Matrix affine;   // made by affine_rows(); absent: (x - mean) / sd only
  float scale = 1.0f;
  int pre_shift = 0;
  bool wide_variance = false;
};

// Throws ConfigError when a single row does not fit the accumulator.
void layer_norm(Builder& builder, const LayerNormArguments& arguments);

// Loads gamma and beta into the last accumulator rows and points E3 at them. The accumulator must be free, and the caller fences
// before the first store that uses them: the reservation station does not know that it reads them. Returns the rows taken.
std::uint64_t load_affine_rows(Builder& builder, const Matrix& affine);

// The form in which E3 reads its parameters from the accumulator: row 2c gamma, row 2c+1 beta of column block c.
// Contents of a float matrix [2 * ceil(d / dim)][dim].
[[nodiscard]] std::vector<float> affine_rows(const std::vector<float>& gamma, const std::vector<float>& beta, std::uint64_t dim);

}  // namespace systole::kernels
