#include "hw/memory/port_values.h"

#include <fmt/format.h>

#include <cstring>

#include "hw/ports/command_fault.h"

namespace systole::hw {

namespace {

// The bytes that a beat reads or writes; none: 0 bytes.
struct Bytes {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  unsigned first = 0;    // of them, in the request
};

Bytes bytes_of(const RequestBeat& beat, unsigned bus_bytes) {
  if (beat.opcode == TlOpcodeA::kGet) return {beat.address + beat.useful_first, beat.useful_bytes, beat.useful_first};
  if (beat.mask == 0) return {};
  // The mask of a beat is one run of bytes; its bits are lanes of the bus.
  const std::uint64_t window = (beat.address & ~std::uint64_t{bus_bytes - 1}) + static_cast<std::uint64_t>(beat.beat) * bus_bytes;
  const auto first = static_cast<unsigned>(__builtin_ctzll(beat.mask));
  return {window + first, 64u - static_cast<unsigned>(__builtin_clzll(beat.mask)) - first, static_cast<unsigned>(window + first - beat.address)};
}

}  // namespace

void check_address(const Memory& memory, unsigned bus_bytes, const char* unit, Cycle now, const RequestBeat& beat) {
  const Bytes b = bytes_of(beat, bus_bytes);
  if (b.bytes == 0 || memory.contains(b.address, b.bytes)) return;
  throw CommandFault{now, unit, beat.sequence,
                     fmt::format("{} {} bytes at {:#x}, outside memory", beat.opcode == TlOpcodeA::kGet ? "reads" : "writes", b.bytes, b.address)};
}

void PortValues::transfer(Cycle now, const RequestBeat& beat) {
  check_address(memory_, bus_bytes_, unit_.c_str(), now, beat);
  const Bytes b = bytes_of(beat, bus_bytes_);
  if (values_ == nullptr || b.bytes == 0) return;
  std::uint8_t* const in_memory = memory_.at(b.address, b.bytes);
  std::uint8_t* const in_beat = values_->bytes(beat.values) + b.first;
  if (beat.opcode == TlOpcodeA::kGet) std::memcpy(in_beat, in_memory, b.bytes);
  else std::memcpy(in_memory, in_beat, b.bytes);
}

}  // namespace systole::hw
