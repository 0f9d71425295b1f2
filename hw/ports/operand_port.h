#pragma once
#include <cstdint>

#include "sim/base/cycle.h"

namespace systole::hw {

// The scratchpad's banks as the array's controller sees them.
class BankPort {
 public:
  virtual ~BankPort() = default;
  // Banks in which a read may start in this cycle, one bit each.
  [[nodiscard]] virtual std::uint32_t ready(Cycle now) const = 0;
  // The first cycle in [from, until] that is known to refuse a read of one of these banks, or kNever.
  [[nodiscard]] virtual Cycle first_refusal(std::uint32_t banks, Cycle from, Cycle until) const = 0;
  // Before values are read in this cycle.
  virtual void settle(Cycle now) = 0;
};

// The array's operand reads as other users of the scratchpad's banks see them. Answers hold for a unit behind ExecuteController in the group.
class OperandPort {
 public:
  virtual ~OperandPort() = default;
  // An operand read of this bank starts in this cycle.
  [[nodiscard]] virtual bool reads(Cycle now, std::uint32_t bank) const = 0;
  // Banks, one bit each, whose refusal of a read the array's controller must see in its cycle although it sleeps.
  [[nodiscard]] virtual std::uint32_t watched_banks() const = 0;
  // A read of such a bank is refused in this cycle, the running one or a later one.
  virtual void refused(Cycle at) = 0;
  // The bank's latch holds an operand that cannot leave, because the response path behind it is full.
  [[nodiscard]] virtual bool holds_latch(Cycle now, std::uint32_t bank) const = 0;
};

}  // namespace systole::hw
