#pragma once
// Elementary functions that give the same bits on every machine: the C library chooses among variants by processor,
// these do not. Each is a fixed sequence of IEEE operations without fused multiply-add. Inline, so that loops over
// arrays vectorise.
#include <cmath>
#include <cstdint>
#include <cstring>

namespace systole::workloads {

// Relative error below 3e-7; 0 below -87, exp(88) above 88; NaN stays NaN. (Cody-Waite reduction, Taylor polynomial of
// degree 6.)
[[nodiscard]] inline float portable_exp(float x) {
  constexpr float kLog2e = 1.44269504F;
  constexpr float kLn2High = 0.693359375F;  // few bits: products with small integers are exact
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23
  constexpr float kSmallest = -87.0F;
  const float clipped = !(x > kSmallest) ? kSmallest : (x > 88.0F ? 88.0F : x);  // NaN must not reach the integer
  const float shifted = clipped * kLog2e + kRound;
  const float n = shifted - kRound;
  float r = clipped - n * kLn2High;
  r = r - n * kLn2Low;
  float p = 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const std::int32_t bits = (static_cast<std::int32_t>(n) + 127) * (1 << 23);
  float power = 0;
  std::memcpy(&power, &bits, sizeof power);
  const float result = x < kSmallest ? 0.0F : p * power;
  return x != x ? x : result;
}

// Absolute error below 3e-7 (Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26).
[[nodiscard]] inline float portable_erf(float x) {
  const float size = x < 0 ? -x : x;
  const float t = 1.0F / (1.0F + 0.3275911F * size);
  float p = 1.061405429F;
  p = p * t - 1.453152027F;
  p = p * t + 1.421413741F;
  p = p * t - 0.284496736F;
  p = p * t + 0.254829592F;
  const float result = 1.0F - p * t * portable_exp(-size * size);
  return x < 0 ? -result : result;
}

// Natural logarithm of a positive normal number, relative error below 1e-14.
[[nodiscard]] inline double portable_log(double x) {
  constexpr double kLn2 = 0.693147180559945309;
  constexpr double kSqrtHalf = 0.70710678118654752;
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // exact
  if (m < kSqrtHalf) {
    m *= 2;
    --exponent;
  }
  // log m = 2 artanh(s), |s| < 0.172
  const double s = (m - 1.0) / (m + 1.0);
  const double z = s * s;
  double p = 1.0 / 19.0;
  for (int k = 17; k >= 1; k -= 2) {
    p = p * z + 1.0 / k;
  }
  return 2.0 * s * p + exponent * kLn2;
}

// |x| < 700, relative error below 1e-14.
[[nodiscard]] inline double portable_exp(double x) {
  constexpr double kLn2 = 0.693147180559945309;
  constexpr int kTerms = 14;
  const double n = std::nearbyint(x / kLn2);
  const double r = x - n * kLn2;
  double p = 1.0;
  for (int k = kTerms; k >= 1; --k) {
    p = 1.0 + p * r / k;
  }
  return std::ldexp(p, static_cast<int>(n));
}

// |x| < 1e4, absolute error below 1e-11.
[[nodiscard]] inline double portable_sin(double x) {
  constexpr double kTwoPi = 6.28318530717958648;
  constexpr int kTerms = 27;
  const double r = x - std::nearbyint(x / kTwoPi) * kTwoPi;
  double p = 1.0;
  for (int k = kTerms; k >= 3; k -= 2) {
    p = 1.0 - p * r * r / (k * (k - 1));
  }
  return p * r;
}

}  // namespace systole::workloads
