#include "workloads/streaming/data.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "workloads/weights/safetensors.h"

namespace systole::workloads {

namespace {

// SplitMix64 (Steele, Lea, Flood 2014).
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

void fill(std::vector<float>& numbers, std::size_t count, std::uint64_t& state) {
  constexpr float kHalfWidth = 1.7320508F;  // a uniform distribution of this half width has variance 1
  numbers.resize(count);
  for (float& number : numbers) number = kHalfWidth * (static_cast<float>(next_random(state) >> 40) * 0x1p-23F - 1.0F);
}

}  // namespace

AttentionData random_attention_data(std::size_t rows, std::size_t dim, std::uint64_t seed) {
  AttentionData data;
  data.rows = rows;
  data.dim = dim;
  std::uint64_t state = seed;
  fill(data.q, rows * dim, state);
  fill(data.k, rows * dim, state);
  fill(data.v, rows * dim, state);
  return data;
}

AttentionData read_attention_data(const std::string& path) {
  const SafetensorsFile file(path);
  const Shape shape = file.view("q").shape;
  if (shape.size() != 2 || shape[0] == 0 || shape[1] == 0) {
    throw ConfigError(fmt::format("{}: tensor 'q' has shape {}, expected [rows, dim]", path, to_string(shape)));
  }
  AttentionData data;
  data.rows = shape[0];
  data.dim = shape[1];
  data.q = file.read_floats("q", shape);
  data.k = file.read_floats("k", shape);
  data.v = file.read_floats("v", shape);
  return data;
}

std::vector<double> reference_attention(const AttentionData& data, bool causal) {
  const std::size_t rows = data.rows;
  const std::size_t dim = data.dim;
  const double scale = 1.0 / std::sqrt(static_cast<double>(dim));
  // Keys by column: the inner loop over keys then has no dependence from one step to the next.
  std::vector<double> keys(dim * rows);
  for (std::size_t j = 0; j < rows; ++j) {
    for (std::size_t c = 0; c < dim; ++c) keys[c * rows + j] = data.k[j * dim + c];
  }
  const std::vector<double> values(data.v.begin(), data.v.end());
  std::vector<double> output(rows * dim);
  std::vector<double> weights(rows);
  constexpr std::size_t kKeysAtOnce = 1024;  // their weights stay in the first-level cache
  for (std::size_t r = 0; r < rows; ++r) {
    const std::size_t seen = causal ? r + 1 : rows;
    std::fill(weights.begin(), weights.end(), 0.0);
    for (std::size_t from = 0; from < seen; from += kKeysAtOnce) {
      const std::size_t to = std::min(seen, from + kKeysAtOnce);
      for (std::size_t c = 0; c < dim; ++c) {
        const double q = data.q[r * dim + c] * scale;
        const double* column = &keys[c * rows];
        for (std::size_t j = from; j < to; ++j) weights[j] += q * column[j];
      }
    }
    const double maximum = *std::max_element(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(seen));
    double sum = 0;
    for (std::size_t j = 0; j < seen; ++j) sum += weights[j] = std::exp(weights[j] - maximum);
    double* out = &output[r * dim];
    for (std::size_t j = 0; j < seen; ++j) {
      const double weight = weights[j];
      const double* value = &values[j * dim];
      for (std::size_t c = 0; c < dim; ++c) out[c] += weight * value[c];
    }
    for (std::size_t c = 0; c < dim; ++c) out[c] /= sum;
  }
  return output;
}

double largest_difference(const std::vector<float>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    if (!(difference <= largest))
      largest = std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
  }
  return largest;
}

}  // namespace systole::workloads
