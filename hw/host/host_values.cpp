#include "hw/host/host_values.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "sim/base/errors.h"

namespace systole::hw {
namespace {

using isa::HostOperation;
using isa::HostOperationKind;
using isa::HostRows;

// BERT's epsilon of a variance (Hugging Face layer_norm_eps); it keeps a row of equal numbers finite.
constexpr double kVarianceEpsilon = 1e-12;

template <typename T>
void read(const Memory& memory, const HostRows& rows, std::uint64_t row, std::vector<T>& values) {
  const std::size_t bytes = values.size() * sizeof(T);
  std::memcpy(values.data(), memory.at(rows.address + row * rows.stride, bytes), bytes);
}

template <typename T>
void write(Memory& memory, const HostRows& rows, std::uint64_t row, const std::vector<T>& values) {
  const std::size_t bytes = values.size() * sizeof(T);
  std::memcpy(memory.at(rows.address + row * rows.stride, bytes), values.data(), bytes);
}

template <typename Integer>
void dequantise(const HostOperation& o, Memory& memory) {
  std::vector<Integer> in(o.columns);
  std::vector<float> out(o.columns);
  for (std::uint64_t r = 0; r < o.rows; ++r) {
    read(memory, o.in, r, in);
    for (std::size_t c = 0; c < in.size(); ++c) out[c] = static_cast<float>(in[c]) * o.scale;
    write(memory, o.out, r, out);
  }
}

std::int8_t saturated(float x) {
  constexpr float kLow = -128, kHigh = 127;
  if (std::isnan(x)) return 127;  // fcvt.w.s makes the largest integer of it
  return static_cast<std::int8_t>(std::min(kHigh, std::max(kLow, std::nearbyint(x))));
}

void quantise(const HostOperation& o, Memory& memory) {
  std::vector<float> in(o.columns);
  std::vector<std::int8_t> out(o.columns);
  for (std::uint64_t r = 0; r < o.rows; ++r) {
    read(memory, o.in, r, in);
    for (std::size_t c = 0; c < in.size(); ++c) out[c] = saturated(in[c] * o.scale);
    write(memory, o.out, r, out);
  }
}

void softmax(std::vector<float>& row, std::uint64_t width) {
  const float largest = *std::max_element(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(width));
  std::vector<double> exponentials(width);
  double sum = 0;
  for (std::size_t c = 0; c < width; ++c)
    sum += exponentials[c] = std::exp(static_cast<double>(row[c]) - static_cast<double>(largest));
  for (std::size_t c = 0; c < width; ++c) row[c] = static_cast<float>(exponentials[c] / sum);
  std::fill(row.begin() + static_cast<std::ptrdiff_t>(width), row.end(), 0.0F);
}

void gelu(std::vector<float>& row) {
  for (float& value : row) {
    const double x = value;
    value = static_cast<float>(x / 2 * (1 + std::erf(x / std::sqrt(2.0))));
  }
}

void layer_norm(std::vector<float>& row, const std::vector<float>& gamma, const std::vector<float>& beta) {
  const auto n = static_cast<double>(row.size());
  double sum = 0;
  for (const float x : row) sum += x;
  const double mean = sum / n;
  double squares = 0;
  for (const float x : row) squares += (x - mean) * (x - mean);
  const double deviation = std::sqrt(squares / n + kVarianceEpsilon);
  for (std::size_t c = 0; c < row.size(); ++c)
    row[c] = static_cast<float>((row[c] - mean) / deviation * gamma[c] + beta[c]);
}

// f(row, r) changes the row in place.
template <class Function>
void each_row(const HostOperation& o, Memory& memory, Function f) {
  std::vector<float> row(o.columns);
  for (std::uint64_t r = 0; r < o.rows; ++r) {
    read(memory, o.in, r, row);
    f(row, r);
    write(memory, o.out, r, row);
  }
}

}  // namespace

void compute_host_operation(const HostOperation& o, Memory& memory) {
  std::vector<float> second(o.columns), beta(o.columns);
  switch (o.kind) {
    case HostOperationKind::kDequantise8:
      return dequantise<std::int8_t>(o, memory);
    case HostOperationKind::kDequantise32:
      return dequantise<std::int32_t>(o, memory);
    case HostOperationKind::kQuantise:
      return quantise(o, memory);
    case HostOperationKind::kSoftmax:
      return each_row(o, memory, [&](std::vector<float>& row, std::uint64_t r) { softmax(row, o.width(r)); });
    case HostOperationKind::kGelu:
      return each_row(o, memory, [](std::vector<float>& row, std::uint64_t) { gelu(row); });
    case HostOperationKind::kLayerNorm:
      read(memory, o.second, 0, second);
      read(memory, o.second, 1, beta);
      return each_row(o, memory, [&](std::vector<float>& row, std::uint64_t) { layer_norm(row, second, beta); });
    case HostOperationKind::kResidual:
      return each_row(o, memory, [&](std::vector<float>& row, std::uint64_t r) {
        read(memory, o.second, r, second);
        for (std::size_t c = 0; c < row.size(); ++c) row[c] += second[c];
      });
  }
  SYSTOLE_CHECK(false);
}

}  // namespace systole::hw
