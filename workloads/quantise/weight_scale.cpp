#include "workloads/quantise/weight_scale.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace systole::workloads {
namespace {

constexpr int kClips = 33;
constexpr double kSmallestClip = 0.2;
constexpr float kLargest = 127.0F;
// Partial sums of fp32, added in double: their order is the same on every machine.
constexpr std::size_t kLanes = 16;
constexpr std::size_t kBlock = 2048;

// Squared error of one block of a multiple of kLanes weights.
inline __attribute__((always_inline)) double block_error_body(const float* w, std::size_t count, float scale,
                                                              float inverse) {
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding and subtracting it rounds to nearest even
  float lanes[kLanes] = {};
  for (std::size_t i = 0; i < count; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      float q = w[i + lane] * inverse;
      q = q < kLargest ? q : kLargest;
      q = q > -kLargest ? q : -kLargest;
      q = (q + kRound) - kRound;
      const float error = w[i + lane] - q * scale;
      lanes[lane] += error * error;
    }
  }
  double sum = 0;
  for (const float lane : lanes) {
    sum += static_cast<double>(lane);
  }
  return sum;
}

double block_error_plain(const float* w, std::size_t count, float scale, float inverse) {
  return block_error_body(w, count, scale, inverse);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) double block_error_avx2(const float* w, std::size_t count, float scale, float inverse) {
  return block_error_body(w, count, scale, inverse);
}
#endif

using BlockError = double (*)(const float* w, std::size_t count, float scale, float inverse);

BlockError best_block_error() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") != 0) {
    return block_error_avx2;
  }
#endif
  return block_error_plain;
}

// The block as one array, padded with zeros, which have no error.
std::vector<float> gather(const Matrix<float>& w, std::size_t first, std::size_t columns) {
  std::vector<float> values;
  values.reserve(w.rows * columns + kLanes);
  for (std::size_t r = 0; r < w.rows; ++r) {
    values.insert(values.end(), w.row(r) + first, w.row(r) + first + columns);
  }
  values.resize((values.size() + kLanes - 1) / kLanes * kLanes);
  return values;
}

}  // namespace

double best_weight_scale(const Matrix<float>& w, std::size_t first, std::size_t columns) {
  const std::vector<float> values = gather(w, first, columns);
  float largest = 0;
  for (const float value : values) {
    largest = std::max(largest, std::fabs(value));
  }
  if (largest == 0) {
    return 1.0;
  }
  const BlockError block_error = best_block_error();
  double best_scale = 0;
  double best_error = std::numeric_limits<double>::infinity();
  // From the widest clip down: narrow ones are given up after a few blocks.
  for (int clip = kClips - 1; clip >= 0; --clip) {
    const double fraction = kSmallestClip + (1.0 - kSmallestClip) * clip / (kClips - 1);
    const double scale = fraction * largest / kLargest;
    double error = 0;
    for (std::size_t i = 0; i < values.size() && error < best_error; i += kBlock) {
      error += block_error(values.data() + i, std::min(kBlock, values.size() - i), static_cast<float>(scale),
                           static_cast<float>(1.0 / scale));
    }
    if (error < best_error) {
      best_error = error;
      best_scale = scale;
    }
  }
  return best_scale;
}

Matrix<std::int8_t> quantise_weights(const Matrix<float>& w, std::size_t first, std::size_t columns, double scale) {
  Matrix<std::int8_t> q(w.rows, columns);
  for (std::size_t r = 0; r < w.rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      const double rounded = std::nearbyint(w.at(r, first + c) / scale);
      q.at(r, c) = static_cast<std::int8_t>(std::clamp(rounded, -127.0, 127.0));
    }
  }
  return q;
}

}  // namespace systole::workloads
