#pragma once
// The bytes behind the memory port: moved in the cycle in which a request beat is accepted. A Get reads all its bytes at once, a Put beat
// writes the bytes it has a mask bit for.
#include <string>

#include "hw/datapath/value_plane.h"
#include "hw/ports/burst.h"
#include "sim/base/cycle.h"
#include "sim/base/memory.h"

namespace systole::hw {

// Throws CommandFault for bytes outside of memory; over-fetched bytes around the useful ones do not count.
void check_address(const Memory& memory, unsigned bus_bytes, const char* unit, Cycle now, const RequestBeat& beat);

class PortValues {
 public:
  // `values` null: addresses are still checked. `unit`: named in errors.
  PortValues(Memory& memory, ValuePlane* values, unsigned bus_bytes, std::string unit)
      : memory_(memory), values_(values), bus_bytes_(bus_bytes), unit_(std::move(unit)) {}

  void transfer(Cycle now, const RequestBeat& beat);

 private:
  Memory& memory_;
  ValuePlane* values_;
  const unsigned bus_bytes_;
  const std::string unit_;
};

}  // namespace systole::hw
