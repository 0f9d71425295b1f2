#pragma once
// Rows on their way between memory and the local memories.
#include <cstdint>

#include "hw/ports/value_ref.h"
#include "isa/local_address.h"

namespace systole::hw {

// One row (or row of blocks) of an mvin: what the load controller asks the DMA for.
struct RowRequest {
  std::uint64_t address = 0;          // first byte in memory
  isa::LocalAddress local;            // destination of the first block
  std::uint32_t scale = 0;            // fp32 bits
  std::uint16_t cols = 0;             // elements
  std::uint16_t repeats = 0;          // further rows that get the same data (stride 0)
  std::uint16_t block_stride = 0;     // local rows between blocks of `dim` columns
  std::uint8_t pixel_repeats = 1;
  std::uint8_t tracker = 0;           // load in flight that it belongs to
  bool accumulator_width = false;     // elements are 4 bytes
  std::uint32_t sequence = 0;
};

// A chunk of at most one local row that has come back from memory.
struct LoadedRow {
  ValueRef values;                    // bytes of the memory request
  std::uint16_t source_byte = 0;      // first byte of this chunk in `values`
  std::uint16_t first_byte = 0;       // where it goes in the local row
  std::uint16_t bytes = 0;
  std::uint32_t row = 0;              // local row, before repeats
  std::uint32_t scale = 0;
  std::uint16_t repeats = 0;
  std::uint16_t len = 0;              // columns of the whole request (pixel repeater shift)
  std::uint8_t pixel_repeats = 1;
  std::uint8_t tracker = 0;
  std::uint8_t bytes_read = 0;        // useful bytes of the memory request, reported with its last chunk
  bool to_accumulator = false;
  bool accumulate = false;
  bool accumulator_width = false;
  bool last = false;                  // last chunk of its memory request
  std::uint32_t sequence = 0;
};

// A row of zeros (mvin from address 0).
struct ZeroRow {
  isa::LocalAddress local;
  std::uint16_t cols = 0;
  std::uint16_t block_stride = 0;
  std::uint8_t pixel_repeats = 1;
  std::uint8_t tracker = 0;
  std::uint32_t sequence = 0;
};

// Part of a load that has reached its local memory.
struct LoadProgress {
  std::uint8_t tracker = 0;
  std::uint32_t bytes = 0;
};

// Everything about an mvout that config_st and config_norm set, as it was when the row was requested.
struct StoreConstants {
  std::uint32_t scale = 0;            // fp32 bits
  isa::Activation activation = isa::Activation::kNone;
  std::uint8_t stats_id = 0;
  std::uint8_t pre_shift = 0;         // extension E1
  bool wide_variance = false;         // extension E5
  std::int32_t qb = 0;
  std::int32_t qc = 0;
  std::int32_t qln2 = 0;
  std::int32_t qln2_inv = 0;
  std::uint16_t affine_row = 0;       // extension E3
  std::uint16_t rowscale_base = 0;    // extension E4
};

// One local row (one block of an mvout row) on its way to memory.
struct StoreRow {
  std::uint64_t address = 0;          // of the whole mvout row
  isa::LocalAddress local;
  StoreConstants constants;
  std::uint16_t len = 0;              // columns of this block
  std::uint8_t block = 0;
  std::uint8_t tracker = 0;
  std::uint16_t affine_block = 0;     // extension E3: column block whose gain and bias apply
  std::uint16_t row_scale = 0;        // extension E4: entry of the row-scale memory, relative to the base register
  bool garbage = false;               // no source: zeros (padding of max-pooling)
  bool pool = false;                  // combine with the element before by maximum
  bool store = false;                 // last block or pooling element: write to memory
  isa::NormCommand norm = isa::NormCommand::kReset;
  ValueRef values;                    // raw row as read; after scaling: bytes as they go to memory
  std::uint32_t sequence = 0;
};

// One row of a store has been read (or needs no read).
struct StoreProgress {
  std::uint8_t tracker = 0;
};

}  // namespace systole::hw
