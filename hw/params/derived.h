#pragma once
// Numbers that follow from the parameters. A derived number is never a key and is computed nowhere else.
#include <algorithm>
#include <cstdint>

#include "hw/params/machine.h"

namespace systole::hw {

constexpr int kAccumulatorBytes = 4;   // bytes of an accumulator element (GemminiConfigs.scala accType SInt(32))

constexpr int log2_ceil(std::int64_t value) {
  int bits = 0;
  while ((std::int64_t{1} << bits) < value) ++bits;
  return bits;
}

inline int scratchpad_rows(const MachineParams& m) { return m.scratchpad.kib * 1024 / m.array.dim; }
inline int scratchpad_bank_rows(const MachineParams& m) { return scratchpad_rows(m) / m.scratchpad.banks; }
inline int accumulator_rows(const MachineParams& m) { return m.accumulator.kib * 1024 / (kAccumulatorBytes * m.array.dim); }
inline int accumulator_bank_rows(const MachineParams& m) { return accumulator_rows(m) / m.accumulator.banks; }
// Bits of a row number in a local address (LocalAddr.scala maxAddrBits).
inline int row_bits(const MachineParams& m) { return log2_ceil(std::max(scratchpad_rows(m), accumulator_rows(m))); }

inline int scratchpad_row_bytes(const MachineParams& m) { return m.array.dim; }
inline int accumulator_row_bytes(const MachineParams& m) { return kAccumulatorBytes * m.array.dim; }

// Blocks of `dim` columns that one mvin or mvout may span (GemminiConfigs.scala MAX_BLOCK_LEN, MAX_BLOCK_LEN_ACC).
inline int max_block_len(const MachineParams& m) { return std::max(m.dma.max_bytes / m.array.dim, 1); }
inline int max_block_len_acc(const MachineParams& m) { return std::max(m.dma.max_bytes / (kAccumulatorBytes * m.array.dim), 1); }
// Decoded bits of an mvin's or mvout's cols, and of all rows and of an execute operand's cols (GemminiConfigs.scala mvin_cols_bits).
inline int mv_cols_bits(const MachineParams& m) { return log2_ceil(std::max(m.dma.max_bytes, m.array.dim) + 1); }
inline int rows_bits(const MachineParams& m) { return log2_ceil(m.array.dim + 1); }

// Loads, and stores, in flight at a time (LoadController.scala, StoreController.scala nCmds).
inline int command_trackers(const MachineParams& m) { return m.dma.max_in_flight / m.array.dim + 1; }

// Cycles from a row's entry into the array to the aligned row behind it (MeshWithDelays.scala, Mesh.scala).
inline int array_latency(const MachineParams& m) {
  const int tiles = m.array.dim / m.array.tile;
  return (2 * tiles - 1) * (m.array.tile_latency + 1) + m.array.output_delay;
}
// Matrix multiplications inside the array at a time: ceil(5 * max((tile_latency + 1) / tile, 1)) (MeshWithDelays.scala).
inline int simultaneous_matmuls(const MachineParams& m) {
  return std::max((5 * (m.array.tile_latency + 1) + m.array.tile - 1) / m.array.tile, 5);
}

}  // namespace systole::hw
