#pragma once
// Accesses to the local memories inside a cycle: what the units of the datapath group tell each other.
#include <cstdint>

#include "hw/ports/value_ref.h"
#include "isa/local_address.h"

namespace systole::hw {

// A row that the array writes back in this cycle. It is never refused and wins over every other write of its bank.
struct ArrayWrite {
  bool to_accumulator = false;
  bool accumulate = false;      // add to the stored row (accumulator only)
  std::uint32_t row = 0;        // row of the whole memory; the bank is row / rows of a bank
  std::uint32_t sequence = 0;   // host command, for messages
};

// A row that is read to be stored; its data leave the bank in the next cycle.
struct ScratchpadRead {
  ValueRef values;              // the row's bytes, captured when the read starts
};

}  // namespace systole::hw
