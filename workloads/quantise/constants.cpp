#include "workloads/quantise/constants.h"

#include <algorithm>
#include <cmath>

namespace systole::workloads {
namespace {

constexpr double kInt32Range = 2147483648.0;  // 2^31
constexpr int kMaxPreShift = 31;

// exp(x) on (-ln 2, 0] is a * (x + b)^2 + c (I-BERT, section 3.5).
constexpr double kExpA = 0.3585;
constexpr double kExpB = 1.353;
constexpr double kExpC = 0.344;
constexpr double kLn2 = 0.693147;  // as in Gemmini's gemmini.h
// Finer scales make qln2_inv = 65536 / qln2 too coarse to count halvings.
constexpr double kFinestExpScale = 8.5e-5;

std::int32_t truncated(double x) { return static_cast<std::int32_t>(std::clamp(x, -kInt32Range, kInt32Range - 1)); }

}  // namespace

GeluConstants gelu_constants(double scale, const GeluPolynomial& polynomial) {
  const double squared = polynomial.a * scale * scale / 2;  // scale of the polynomial's value; x / sqrt(2) goes in
  GeluConstants constants;
  constants.qb = truncated(polynomial.b / (scale / std::sqrt(2.0)));
  constants.qc = truncated(1 / squared);
  constants.out_scale = scale * squared / 2;
  return constants;
}

bool gelu_fits(double scale, double largest, const GeluPolynomial& polynomial) {
  return 4 * largest < std::fabs(polynomial.a) * scale * scale * scale * kInt32Range;
}

ExpConstants exp_constants(double scale) {
  ExpConstants constants;
  constants.qb = truncated(kExpB / scale);
  constants.qc = truncated(kExpC / (kExpA * scale * scale));
  constants.qln2 = truncated(kLn2 / scale);
  constants.qln2_inv = constants.qln2 == 0 ? 0 : 65536 / constants.qln2;
  return constants;
}

double smallest_exp_scale(std::size_t keys) {
  const double peak = kExpB * kExpB + kExpC / kExpA;  // exp(0) = peak / S^2
  return std::max(kFinestExpScale, std::sqrt(static_cast<double>(keys) * peak / kInt32Range));
}

double smallest_norm_scale(std::size_t n, double deviation) {
  return std::sqrt(static_cast<double>(n) * deviation * deviation / kInt32Range);
}

int pre_shift_for(double scale, double smallest) {
  int shift = 0;
  while (std::ldexp(scale, shift) < smallest && shift < kMaxPreShift) {
    ++shift;
  }
  return shift;
}

}  // namespace systole::workloads
