#pragma once
// Seeded random choices that are the same on every machine (the standard distributions are not).
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "isa/trace.h"

namespace systole::test {

class Random {
 public:
  explicit Random(std::uint64_t seed) : generator_(seed) {}

  std::uint64_t bits() { return generator_.next(); }
  // low..high, both included.
  std::int64_t range(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(bits() % (static_cast<std::uint64_t>(high - low) + 1));
  }
  std::uint32_t count(std::uint32_t low, std::uint32_t high) { return static_cast<std::uint32_t>(range(low, high)); }
  // True in `percent` of 100 cases.
  bool chance(int percent) { return range(0, 99) < percent; }
  template <class T>
  T pick(std::initializer_list<T> choices) {
    return *(choices.begin() + range(0, static_cast<std::int64_t>(choices.size()) - 1));
  }
  template <class T>
  const T& pick(const std::vector<T>& choices) {
    return choices[static_cast<std::size_t>(range(0, static_cast<std::int64_t>(choices.size()) - 1))];
  }

 private:
  isa::SplitMix64 generator_;
};

}  // namespace systole::test
