#pragma once
#include <cstdint>

#include "hw/ports/value_ref.h"

namespace systole::hw {

// One block of a row, ready to be written to memory.
struct WriteRequest {
  std::uint64_t address = 0;     // of the whole row
  std::uint16_t bytes = 0;       // of this block
  std::uint8_t block = 0;
  bool pool = false;             // combine with the block before by maximum (int8)
  bool store = false;            // write; otherwise only keep the block
  ValueRef values;
  std::uint32_t sequence = 0;
};

}  // namespace systole::hw
