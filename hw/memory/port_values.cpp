#include "hw/memory/port_values.h"

#include <fmt/format.h>

#include <cstring>

#include "hw/ports/command_fault.h"

namespace systole::hw {

void PortValues::transfer(Cycle now, const RequestBeat& beat) {
  if (beat.opcode == TlOpcodeA::kGet) {
    const std::uint64_t address = beat.address + beat.useful_first;
    if (!memory_.contains(address, beat.useful_bytes)) {
      throw CommandFault{now, unit_, beat.sequence, fmt::format("reads {} bytes at {:#x}, outside memory", beat.useful_bytes, address)};
    }
    if (values_ != nullptr) std::memcpy(values_->bytes(beat.values) + beat.useful_first, memory_.at(address, beat.useful_bytes), beat.useful_bytes);
    return;
  }
  if (beat.mask == 0) return;
  const std::uint64_t window = beat.address + static_cast<std::uint64_t>(beat.beat) * bus_bytes_;
  const int first = __builtin_ctzll(beat.mask);
  const int end = 64 - __builtin_clzll(beat.mask);
  const std::uint64_t address = window + static_cast<std::uint64_t>(first);
  const auto bytes = static_cast<std::uint64_t>(end - first);
  if (!memory_.contains(address, bytes)) {
    throw CommandFault{now, unit_, beat.sequence, fmt::format("writes {} bytes at {:#x}, outside memory", bytes, address)};
  }
  // The mask of a beat is one run of bytes.
  if (values_ != nullptr) std::memcpy(memory_.at(address, bytes), values_->bytes(beat.values) + first, bytes);
}

}  // namespace systole::hw
