#pragma once
#include <cstdint>

namespace systole {

// Who calls the units; see scheduler.h.
enum class SchedulerMode : std::uint8_t { kFast, kNative, kEveryCycle };

}  // namespace systole
