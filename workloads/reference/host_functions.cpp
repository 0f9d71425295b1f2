#include "workloads/reference/host_functions.h"

#include <cmath>

#include "sim/base/errors.h"

namespace systole::workloads::reference {
namespace {

constexpr double kEpsilon = 1e-12;  // Hugging Face's layer_norm_eps of BERT

std::int8_t to_int8(float value, float units) {
  const float scaled = value * units;
  if (!(scaled < 127.0F)) return 127;
  if (scaled <= -128.0F) return -128;
  return static_cast<std::int8_t>(std::lrint(scaled));
}

template <typename Integer>
Matrix<float> dequantise(const Matrix<Integer>& x, double unit) {
  const auto scale = static_cast<float>(unit);
  Matrix<float> y(x.rows, x.cols);
  for (std::size_t i = 0; i < x.size(); ++i) y.data[i] = static_cast<float>(x.data[i]) * scale;
  return y;
}

}  // namespace

HostSoftmax host_softmax_of(const HeadWeights& head) {
  return {static_cast<float>(std::ldexp(head.score_scale, -head.pre_shift)), static_cast<float>(1 / head.p_scale)};
}

void host_softmax_row(const std::int32_t* scores, std::size_t count, std::size_t visible, const HostSoftmax& scales,
                      std::int8_t* weights) {
  std::vector<float> x(visible);
  float largest = 0;
  for (std::size_t i = 0; i < visible; ++i) {
    x[i] = static_cast<float>(scores[i]) * scales.score_unit;
    if (i == 0 || x[i] > largest) largest = x[i];
  }
  double sum = 0;
  for (const float value : x) sum += std::exp(double{value} - double{largest});
  for (std::size_t i = 0; i < count; ++i) {
    weights[i] = 0;
    if (i < visible) weights[i] = to_int8(static_cast<float>(std::exp(double{x[i]} - double{largest}) / sum), scales.weight_units);
  }
}

void host_gelu(const std::int32_t* sums, std::size_t count, const ActivationConstants& constants, std::int8_t* out) {
  const auto unit = static_cast<float>(constants.in_scale);
  const auto units = static_cast<float>(1 / constants.out_scale);
  for (std::size_t i = 0; i < count; ++i) {
    const double x = static_cast<float>(sums[i]) * unit;
    out[i] = to_int8(static_cast<float>(x / 2 * (1 + std::erf(x / std::sqrt(2.0)))), units);
  }
}

Matrix<float> host_dequantise(const Matrix<std::int32_t>& x, double unit) { return dequantise(x, unit); }
Matrix<float> host_dequantise(const Matrix<std::int8_t>& x, double unit) { return dequantise(x, unit); }

void host_add(Matrix<float>& to, const Matrix<float>& x) {
  SYSTOLE_CHECK(to.size() == x.size());
  for (std::size_t i = 0; i < to.size(); ++i) to.data[i] += x.data[i];
}

Matrix<std::int8_t> host_norm(const Matrix<float>& x, const NormConstants& norm) {
  Matrix<std::int8_t> y(x.rows, x.cols);
  for (std::size_t r = 0; r < x.rows; ++r) {
    double mean = 0, variance = 0;
    for (std::size_t c = 0; c < x.cols; ++c) mean += x.at(r, c);
    mean /= static_cast<double>(x.cols);
    for (std::size_t c = 0; c < x.cols; ++c) variance += std::pow(x.at(r, c) - mean, 2);
    const double deviation = std::sqrt(variance / static_cast<double>(x.cols) + kEpsilon);
    for (std::size_t c = 0; c < x.cols; ++c) {
      const float beta = norm.beta[c] / norm.scale;  // stored in units of the result
      const auto value = static_cast<float>((x.at(r, c) - mean) / deviation * norm.gamma[c] + beta);
      y.at(r, c) = to_int8(value, norm.scale);
    }
  }
  return y;
}

}  // namespace systole::workloads::reference
