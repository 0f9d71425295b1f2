#pragma once
// Time in Systole is a count of clock cycles; SystemC time exists only at the boundary (sim/kernel).
#include <cstdint>
#include <limits>

namespace systole {

using Cycle = std::uint64_t;

// "No such cycle": later than everything that can happen in a run.
inline constexpr Cycle kNever = std::numeric_limits<Cycle>::max();

}  // namespace systole
