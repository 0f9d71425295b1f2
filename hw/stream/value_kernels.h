#pragma once
// What streaming nodes compute, for n consecutive elements of one row. Plain functions on arrays. Every result is the
// same whether the elements come one by one or in blocks, and whatever vector instructions the CPU has: sums run in the
// order of the stream, and a dot product has a fixed order of its own.
#include <cstddef>

namespace systole::hw::stream_kernels {

// Operand j of n: element j * step, so that step 0 repeats one element for all n.
struct Scalars {
  const float* data = nullptr;
  std::size_t step = 1;
  float operator[](std::size_t j) const { return data[j * step]; }
};
struct Vectors {
  const float* const* data = nullptr;
  std::size_t step = 1;
  const float* operator[](std::size_t j) const { return data[j * step]; }
};

// e^x with a relative error below 2e-7; 0 below -87.3 (no subnormal results), infinity above 88.7.
void exponential(const float* x, float* y, std::size_t n);

// y[j] = scale * (a[j] . b[j])
void dot(Vectors a, Vectors b, std::size_t dim, float scale, float* y, std::size_t n);

// sum += w[j] * v[j]
void weighted_sum(float* sum, Scalars w, Vectors v, std::size_t dim, std::size_t n);

// sum = sum * delta[j] + e[j] * v[j]
void decayed_weighted_sum(float* sum, Scalars delta, Scalars e, Vectors v, std::size_t dim, std::size_t n);

// y[j] = maximum of `start` and x[0..j]
void running_maximum(float start, Scalars x, float* y, std::size_t n);

}  // namespace systole::hw::stream_kernels
