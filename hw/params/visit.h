#pragma once
// How a parameter is declared: one line in the `visit` function of its struct gives key, range, meaning and source. Reading YAML, --set,
// dumping, documentation, sweeps and comparison are visitors over these lines (sim/config).
#include <cstdint>
#include <vector>

namespace systole::hw {

// Legal values of an integer parameter.
struct Range {
  std::int64_t min;
  std::int64_t max;
  bool power_of_two = false;
  bool zero_allowed = false;   // 0 is legal besides the range ("none")
};

constexpr Range range(std::int64_t min, std::int64_t max) { return {min, max, false, false}; }
constexpr Range power_of_two(std::int64_t min, std::int64_t max) { return {min, max, true, false}; }
constexpr Range power_of_two_or_zero(std::int64_t min, std::int64_t max) { return {min, max, true, true}; }
constexpr Range flag() { return {0, 1, false, false}; }

// Names of an enumeration's values, in order.
using Choices = std::vector<const char*>;

}  // namespace systole::hw
