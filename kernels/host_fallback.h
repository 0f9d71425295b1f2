#pragma once
// Operators for which a machine has no unit, on the CPU: matrices in memory, fp32 in between. Conversions to and from fp32 are
// operators of their own, because they cost as much.
#include <cstdint>

#include "kernels/builder.h"
#include "kernels/tensor.h"

namespace systole::kernels {

// out (fp32) = x (int8 or int32) * scale
void host_dequantise(Builder& builder, const Matrix& x, const Matrix& out, float scale);
// out (int8) = x (fp32) * units, rounded and saturated
void host_quantise(Builder& builder, const Matrix& x, const Matrix& out, float units);
// Rows of fp32. `visible`: row r has visible + r elements, the others become 0; 0: all.
void host_softmax(Builder& builder, const Matrix& x, const Matrix& out, std::uint64_t visible = 0);
void host_gelu(Builder& builder, const Matrix& x, const Matrix& out);
// `affine` (fp32): a row of gamma and a row of beta.
void host_layer_norm(Builder& builder, const Matrix& x, const Matrix& affine, const Matrix& out);
void host_residual(Builder& builder, const Matrix& x, const Matrix& y, const Matrix& out);

}  // namespace systole::kernels
