#pragma once
// Receives the hazards of the RTL that a program runs into: legal instruction sequences whose result is not what their author means.
#include <cstdint>
#include <string>

#include "isa/fields.h"
#include "sim/base/cycle.h"

namespace systole::hw {

class HazardLog {
 public:
  virtual ~HazardLog() = default;
  // `sequence`: number of the host's command that `instruction` comes from.
  virtual void hazard(Cycle now, const std::string& unit, const isa::Instruction& instruction, std::uint32_t sequence, const std::string& what) = 0;
  // Two commands disturb each other, named by their numbers.
  virtual void conflict(Cycle now, const std::string& unit, std::uint32_t first, std::uint32_t second, const std::string& what) = 0;
};

}  // namespace systole::hw
