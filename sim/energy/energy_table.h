#pragma once
// The energy and area of elementary operations; numbers and source stand in energy_table.def.
#include <cstdint>

namespace systole::energy {

enum class Event : std::uint8_t {
#define SYSTOLE_ENERGY(name, picojoules, area, meaning) name,
#include "sim/energy/energy_table.def"
#undef SYSTOLE_ENERGY
};

struct EventCost {
  Event event;
  const char* meaning;
  double picojoules;
  double square_micrometres;  // 0: the source gives none
};

inline constexpr EventCost kEventCosts[] = {
#define SYSTOLE_ENERGY(name, picojoules, area, meaning) {Event::name, meaning, picojoules, area},
#include "sim/energy/energy_table.def"
#undef SYSTOLE_ENERGY
};

[[nodiscard]] constexpr const EventCost& cost_of(Event event) { return kEventCosts[static_cast<std::uint8_t>(event)]; }

}  // namespace systole::energy
