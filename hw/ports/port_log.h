#pragma once
// Observer of the accelerator's memory port.
#include <cstdint>

#include "hw/ports/burst.h"
#include "sim/base/cycle.h"
#include "sim/base/residual.h"

namespace systole::hw {

// Cycle numbers are the simulation's own; subtract the first acceptance to compare with a trace.
class PortLog {
 public:
  virtual ~PortLog() = default;
  virtual void request(Cycle now, const RequestBeat& beat) = 0;    // valid and ready on channel A
  virtual void response(Cycle now, const ResponseBeat& beat) = 0;  // valid and ready on channel D
  virtual void response_stalled(Cycle cycles) = 0;                 // channel D valid and not ready, for so many cycles
  // A log that only counts stands it that equal pieces of work are not simulated: residual() names the counts.
  [[nodiscard]] virtual bool stands_repeats() const { return false; }
  virtual void residual(Residual&) {}
};

}  // namespace systole::hw
