#pragma once
// Misuse of the machine found by a unit that no longer sees the instruction, only the number of the host's command. hw/top adds the
// instruction and makes it the ModelError that the user sees.
#include <cstdint>
#include <string>

#include "sim/base/cycle.h"

namespace systole::hw {

struct CommandFault {
  Cycle cycle = 0;
  std::string unit;
  std::uint32_t sequence = 0;
  std::string what;
};

}  // namespace systole::hw
