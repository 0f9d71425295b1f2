#pragma once
// int32 matrix in memory to int8 matrix in memory through the accumulator's scale.
#include "kernels/builder.h"
#include "kernels/tensor.h"

namespace systole::kernels {

void convert(Builder& builder, const Matrix& x, const Matrix& out, float scale);

}  // namespace systole::kernels
