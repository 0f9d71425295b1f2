#include "hw/stream/value_kernels.h"

#include <cstdint>
#include <limits>

// One binary for every x86-64: the AVX2 form is chosen at run time. There is no fused multiply-add in either, so
// results are equal.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#define SYSTOLE_VECTORISED __attribute__((target_clones("avx2", "default")))
#else
#define SYSTOLE_VECTORISED
#endif

namespace systole::hw::stream_kernels {

namespace {

// e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2; Taylor polynomial of degree 7 (its error there is below
// 6e-9).
constexpr float kLog2E = 1.44269504F;
constexpr float kLn2High = 0.693359375F;  // 10 significant bits, so n * kLn2High is exact
constexpr float kLn2Low = -2.12194440e-4F;
constexpr float kRoundToInteger = 12582912.0F;  // 1.5 * 2^23: adding and subtracting it rounds to nearest
constexpr float kSmallest = -87.3F;
constexpr float kLargest = 88.72F;

inline float exponential_of(float x) {
  // Written so that what is not a number becomes one here; the last line returns it as it came.
  const float above = x > kSmallest ? x : kSmallest;
  const float clamped = above < kLargest ? above : kLargest;
  const float n = (clamped * kLog2E + kRoundToInteger) - kRoundToInteger;
  const float r = (clamped - n * kLn2High) - n * kLn2Low;
  float p = 1.0F / 5040.0F;
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  // 2^n in two factors: n reaches 128, which one exponent field cannot hold.
  const std::int32_t whole = static_cast<std::int32_t>(n);
  const std::int32_t half = whole >> 1;
  const float scaled =
      p * __builtin_bit_cast(float, (half + 127) << 23) * __builtin_bit_cast(float, (whole - half + 127) << 23);
  const float low = x < kSmallest ? 0.0F : scaled;
  const float high = x > kLargest ? std::numeric_limits<float>::infinity() : low;
  return x != x ? x : high;
}

constexpr std::size_t kLanes = 8;   // partial sums of a dot product
constexpr std::size_t kStrip = 32;  // numbers of a vector that stay in registers over a whole block

}  // namespace

SYSTOLE_VECTORISED void exponential(const float* x, float* y, std::size_t n) {
  for (std::size_t j = 0; j < n; ++j) y[j] = exponential_of(x[j]);
}

SYSTOLE_VECTORISED void dot(Vectors a, Vectors b, std::size_t dim, float scale, float* y, std::size_t n) {
  const std::size_t whole = dim / kLanes * kLanes;
  for (std::size_t j = 0; j < n; ++j) {
    const float* left = a[j];
    const float* right = b[j];
    float lanes[kLanes] = {};
    for (std::size_t c = 0; c < whole; c += kLanes) {
      for (std::size_t l = 0; l < kLanes; ++l) lanes[l] += left[c + l] * right[c + l];
    }
    for (std::size_t l = 0; whole + l < dim; ++l) lanes[l] += left[whole + l] * right[whole + l];
    const float sum = ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
    y[j] = scale * sum;
  }
}

SYSTOLE_VECTORISED void weighted_sum(float* sum, Scalars w, Vectors v, std::size_t dim, std::size_t n) {
  std::size_t c = 0;
  for (; c + kStrip <= dim; c += kStrip) {
    float strip[kStrip];
    for (std::size_t l = 0; l < kStrip; ++l) strip[l] = sum[c + l];
    for (std::size_t j = 0; j < n; ++j) {
      const float weight = w[j];
      const float* from = v[j] + c;
      for (std::size_t l = 0; l < kStrip; ++l) strip[l] += weight * from[l];
    }
    for (std::size_t l = 0; l < kStrip; ++l) sum[c + l] = strip[l];
  }
  for (; c < dim; ++c) {
    float single = sum[c];
    for (std::size_t j = 0; j < n; ++j) single += w[j] * v[j][c];
    sum[c] = single;
  }
}

SYSTOLE_VECTORISED void decayed_weighted_sum(float* sum, Scalars delta, Scalars e, Vectors v, std::size_t dim,
                                             std::size_t n) {
  std::size_t c = 0;
  for (; c + kStrip <= dim; c += kStrip) {
    float strip[kStrip];
    for (std::size_t l = 0; l < kStrip; ++l) strip[l] = sum[c + l];
    for (std::size_t j = 0; j < n; ++j) {
      const float decay = delta[j];
      const float weight = e[j];
      const float* from = v[j] + c;
      for (std::size_t l = 0; l < kStrip; ++l) strip[l] = strip[l] * decay + weight * from[l];
    }
    for (std::size_t l = 0; l < kStrip; ++l) sum[c + l] = strip[l];
  }
  for (; c < dim; ++c) {
    float single = sum[c];
    for (std::size_t j = 0; j < n; ++j) single = single * delta[j] + e[j] * v[j][c];
    sum[c] = single;
  }
}

void running_maximum(float start, Scalars x, float* y, std::size_t n) {
  float largest = start;
  for (std::size_t j = 0; j < n; ++j) {
    largest = x[j] > largest ? x[j] : largest;
    y[j] = largest;
  }
}

}  // namespace systole::hw::stream_kernels
