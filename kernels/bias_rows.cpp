#include "kernels/bias_rows.h"

#include <algorithm>

#include "kernels/target.h"
#include "sim/base/errors.h"

namespace systole::kernels {
namespace {

constexpr std::int64_t kLargest = 127;

// bias = kLargest * quotient + remainder with a remainder of at most 63.
struct Parts {
  std::int64_t quotient = 0, remainder = 0;
};

Parts parts_of(std::int32_t bias) {
  const std::int64_t half = bias < 0 ? -kLargest / 2 : kLargest / 2;
  const std::int64_t quotient = (std::int64_t{bias} + half) / kLargest;
  return {quotient, std::int64_t{bias} - quotient * kLargest};
}

}  // namespace

std::uint64_t bias_rows_needed(const std::vector<std::int32_t>& bias) {
  std::uint64_t largest = 0;
  for (const std::int32_t b : bias) {
    const std::int64_t q = parts_of(b).quotient;
    largest = std::max(largest, static_cast<std::uint64_t>(q < 0 ? -q : q));
  }
  return 1 + ceil_div(largest, static_cast<std::uint64_t>(kLargest));
}

std::vector<std::int8_t> bias_constants(std::uint64_t count) {
  std::vector<std::int8_t> constants(count, static_cast<std::int8_t>(kLargest));
  if (count != 0) constants[0] = 1;
  return constants;
}

BiasRows make_bias_rows(const std::vector<std::int32_t>& bias, std::uint64_t count) {
  BiasRows result;
  result.constants = bias_constants(count);
  result.rows.assign(count * bias.size(), 0);
  for (std::size_t column = 0; column < bias.size(); ++column) {
    Parts parts = parts_of(bias[column]);
    result.rows[column] = static_cast<std::int8_t>(parts.remainder);
    for (std::uint64_t r = 1; r < count; ++r) {
      const std::int64_t digit = std::clamp(parts.quotient, -kLargest, kLargest);
      parts.quotient -= digit;
      result.rows[r * bias.size() + column] = static_cast<std::int8_t>(digit);
    }
    SYSTOLE_CHECK(parts.quotient == 0);
  }
  return result;
}

}  // namespace systole::kernels
