#pragma once
#include <cstdint>

namespace systole {

// Who calls the units; see scheduler.h.
enum class SchedulerMode : std::uint8_t { kFast, kNative, kEveryCycle };

// Whether units may treat several rows that follow one another without a hitch as one. The result is the same; a test compares them.
enum class Granularity : std::uint8_t { kRuns, kRow };

}  // namespace systole
