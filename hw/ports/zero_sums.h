#pragma once
// The only values that time depends on: a mean, variance or sum of exponentials of 0 takes the normaliser's dividers a cycle. A machine
// without values can be told where that happens.
#include <cstdint>
#include <vector>

namespace systole::hw {

struct ZeroSums {
  std::vector<std::uint64_t> rows;       // numbers of such rows among all whose sum is divided, in the order of the program; ascending
  std::vector<std::uint64_t> at_fence;   // how many rows were divided before each fence
};

}  // namespace systole::hw
