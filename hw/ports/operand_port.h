#pragma once
#include <cstdint>

#include "sim/base/cycle.h"

namespace systole::hw {

// The array's operand reads as other users of the scratchpad's banks see them. Answers hold for a unit behind ExecuteController in the group.
class OperandPort {
 public:
  virtual ~OperandPort() = default;
  // An operand read of this bank starts in this cycle.
  [[nodiscard]] virtual bool reads(Cycle now, std::uint32_t bank) const = 0;
  // The bank's latch holds an operand that cannot leave, because the response path behind it is full.
  [[nodiscard]] virtual bool holds_latch(Cycle now, std::uint32_t bank) const = 0;
};

}  // namespace systole::hw
