#include "workloads/reference/arithmetic.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "sim/base/errors.h"

namespace systole::workloads::reference {
namespace {

constexpr std::int32_t kIntMax = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t kIntMin = std::numeric_limits<std::int32_t>::min();
constexpr float kExpOne = 127.0F;  // the largest int8 stands for probability 1

std::int32_t low32(std::int64_t x) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(x)); }
std::int32_t sub32(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) - static_cast<std::uint32_t>(b));
}
std::int32_t add32(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}
std::int32_t mul32(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) * static_cast<std::uint32_t>(b));
}

// Nearest even of |y| <= 2^22: adding 1.5 * 2^23 leaves no fraction bits, and subtracting it is exact.
float round_small(float y) {
  constexpr float kShift = 12582912.0F;
  return (y + kShift) - kShift;
}

// Clipping before rounding gives the same result as after, since the bounds are integers.
std::int8_t to_int8(float y) {
  y = y < 127.0F ? y : 127.0F;  // NaN too
  y = y > -128.0F ? y : -128.0F;
  return static_cast<std::int8_t>(static_cast<std::int32_t>(round_small(y)));
}

std::int32_t magnitude(std::int32_t x) { return x < 0 ? sub32(0, x) : x; }

// Floor of the square root.
std::uint32_t integer_root(std::uint32_t x) {
  auto root = static_cast<std::uint32_t>(std::sqrt(static_cast<double>(x)));
  while (static_cast<std::uint64_t>(root) * root > x) {
    --root;
  }
  while (static_cast<std::uint64_t>(root + 1) * (root + 1) <= x) {
    ++root;
  }
  return root;
}

struct NormStatistics {
  std::int32_t mean = 0;
  float inverse = 0;  // 1 / standard deviation
};

NormStatistics narrow_statistics(const std::int32_t* x, std::size_t count, OverflowCounters& overflows) {
  const auto n = static_cast<std::int64_t>(count);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += static_cast<std::uint32_t>(x[i]);
  }
  const std::int32_t mean = low32(static_cast<std::int32_t>(sum) / n);
  std::uint32_t squares = 0;
  double exact = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t difference = sub32(x[i], mean);
    squares += static_cast<std::uint32_t>(difference) * static_cast<std::uint32_t>(difference);
    exact += static_cast<double>(difference) * difference;
  }
  const auto wrapped = static_cast<std::int32_t>(squares);
  // A wrap is off by a multiple of 2^32, far more than the rounding of the double.
  overflows.variance += std::fabs(exact - wrapped) > 1.0 + exact * 1e-9 ? 1 : 0;
  const std::int32_t variance = low32(wrapped / n);
  // The unit sign-extends the 16-bit root.
  std::int32_t deviation = static_cast<std::int16_t>(integer_root(static_cast<std::uint32_t>(variance)));
  if (deviation == 0) {
    deviation = 1;
  }
  return {mean, 1.0F / static_cast<float>(deviation)};
}

NormStatistics wide_statistics(const std::int32_t* x, std::size_t count) {
  const auto n = static_cast<std::int64_t>(count);
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += x[i];
  }
  const std::int64_t mean = sum / n;
  std::uint64_t squares = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto difference = static_cast<std::uint64_t>(x[i] - mean);
    squares += difference * difference;
  }
  const auto wrapped = static_cast<std::int64_t>(squares);
  const std::int64_t variance = wrapped / n - (wrapped % n < 0 ? 1 : 0);
  const float deviation = variance == 0 ? 1.0F : std::sqrt(static_cast<float>(variance));
  return {low32(mean), 1.0F / deviation};
}

}  // namespace

std::int8_t scale8(std::int32_t x, float scale) { return to_int8(static_cast<float>(x) * scale); }

std::int32_t scale32(std::int32_t x, float scale) {
  const float y = static_cast<float>(x) * scale;
  constexpr float kRange = 2147483648.0F;
  constexpr float kNoFraction = 8388608.0F;  // 2^23: from here on every float is an integer
  if (!(y < kRange)) {
    return kIntMax;  // NaN too
  }
  if (y < -kRange) {
    return kIntMin;
  }
  const float size = std::fabs(y);
  const float rounded = size < kNoFraction ? (size + kNoFraction) - kNoFraction : size;
  return static_cast<std::int32_t>(y < 0 ? -rounded : rounded);
}

void scale8(const std::int32_t* x, std::size_t count, float scale, std::int8_t* y) {
  for (std::size_t i = 0; i < count; ++i) {
    y[i] = scale8(x[i], scale);
  }
}

std::int32_t rounding_shift(std::int32_t x, int shift) {
  if (shift == 0) {
    return x;
  }
  const std::int32_t quotient = x >> shift;
  const std::uint32_t half = (static_cast<std::uint32_t>(x) >> (shift - 1)) & 1U;
  const bool lower = (static_cast<std::uint32_t>(x) & ((1U << (shift - 1)) - 1U)) != 0;
  const bool odd = (quotient & 1) != 0;
  return quotient + static_cast<std::int32_t>(half & static_cast<std::uint32_t>(lower || odd));
}

std::int32_t integer_gelu(std::int32_t q, std::int32_t qb, std::int32_t qc, OverflowCounters& overflows) {
  const std::int32_t clipped = std::min(magnitude(q), sub32(0, qb));
  const std::int32_t distance = add32(clipped, qb);
  const std::int32_t polynomial = add32(mul32(distance, distance), qc);
  const std::int32_t erf = q < 0 ? sub32(0, polynomial) : polynomial;
  const std::int64_t exact = static_cast<std::int64_t>(q) * add32(erf, qc);
  overflows.gelu += exact != low32(exact) ? 1 : 0;
  return low32(exact);
}

std::int32_t integer_exp(std::int32_t q, const ExpParameters& c) {
  const std::int64_t quotient = (-static_cast<std::int64_t>(q) * c.qln2_inv) >> 16;
  const auto halvings = static_cast<std::uint32_t>(quotient);
  if (halvings >= 32) {
    return 0;
  }
  const std::int32_t distance = add32(add32(q, mul32(static_cast<std::int32_t>(halvings), c.qln2)), c.qb);
  const auto polynomial = static_cast<std::uint32_t>(add32(mul32(distance, distance), c.qc));
  return static_cast<std::int32_t>(polynomial >> halvings);
}

void gelu8(const std::int32_t* x, std::size_t count, int pre_shift, std::int32_t qb, std::int32_t qc, float scale,
           std::int8_t* y, OverflowCounters& overflows) {
  for (std::size_t i = 0; i < count; ++i) {
    y[i] = scale8(integer_gelu(rounding_shift(x[i], pre_shift), qb, qc, overflows), scale);
  }
}

void relu8(const std::int32_t* x, std::size_t count, float scale, std::int8_t* y) {
  for (std::size_t i = 0; i < count; ++i) {
    y[i] = scale8(std::max(x[i], 0), scale);
  }
}

std::int32_t exp_row(const std::int32_t* x, std::size_t count, int pre_shift, const ExpParameters& c,
                     ExpReadout readout, float scale, std::int8_t* y, OverflowCounters& overflows) {
  SYSTOLE_CHECK(count > 0);
  std::vector<std::int32_t> e(count);
  std::int32_t largest = kIntMin;
  for (std::size_t i = 0; i < count; ++i) {
    e[i] = rounding_shift(x[i], pre_shift);
    largest = std::max(largest, e[i]);
  }
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    e[i] = integer_exp(sub32(e[i], largest), c);
    sum += e[i];
  }
  const std::int32_t wrapped = low32(sum);
  overflows.sum_exp += wrapped != sum ? 1 : 0;
  const float factor = readout == ExpReadout::Softmax ? (kExpOne / static_cast<float>(wrapped)) * scale : scale;
  scale8(e.data(), count, factor, y);
  return wrapped;
}

void row_scale8(const std::int32_t* x, std::size_t count, std::int32_t row_sum, float scale, std::int8_t* y) {
  scale8(x, count, (kExpOne / static_cast<float>(row_sum)) * scale, y);
}

void norm_row(const std::int32_t* x, std::size_t count, const NormParameters& parameters, std::int8_t* y,
              OverflowCounters& overflows) {
  SYSTOLE_CHECK(count > 0);
  std::vector<std::int32_t> shifted(x, x + count);
  if (parameters.pre_shift != 0) {
    for (std::int32_t& value : shifted) {
      value = rounding_shift(value, parameters.pre_shift);
    }
  }
  const NormStatistics statistics =
      parameters.wide ? wide_statistics(shifted.data(), count) : narrow_statistics(shifted.data(), count, overflows);
  const float factor = statistics.inverse * parameters.scale;
  for (std::size_t i = 0; i < count; ++i) {
    const float t = static_cast<float>(sub32(shifted[i], statistics.mean)) * factor;
    y[i] = to_int8(parameters.gamma == nullptr ? t : t * parameters.gamma[i] + parameters.beta[i]);
  }
}

}  // namespace systole::workloads::reference
