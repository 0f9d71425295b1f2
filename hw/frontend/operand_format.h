#pragma once
// Builds the instructions of the loop unrollers: local addresses and sizes in the field widths of the machine.
#include <cstdint>

#include "hw/frontend/front_end_params.h"
#include "isa/fields.h"
#include "isa/instruction.h"
#include "isa/local_address.h"

namespace systole::hw {

class OperandFormat {
 public:
  explicit OperandFormat(const FrontEndParams& params)
      : rows_mask_(mask(params.rows_bits)),
        cols_mask_(mask(params.cols_bits)),
        row_part_((1u << (params.row_bits + 1)) - 1u),
        row_groups_(params.row_groups),
        keep_(row_part_ | (7u << isa::LocalAddress::kNormCommandShift)) {}

  // LocalAddr.scala cast_to_sp_addr, cast_to_acc_addr: bits above the row number fall into the garbage bit and the normaliser command.
  [[nodiscard]] std::uint32_t scratchpad(std::uint64_t row) const { return static_cast<std::uint32_t>(row) & keep_; }
  [[nodiscard]] std::uint32_t accumulator(std::uint64_t row, bool accumulate, bool full_row) const {
    return isa::LocalAddress::kAccumulatorBit | (accumulate ? isa::LocalAddress::kAccumulateBit : 0u) |
           (full_row ? isa::LocalAddress::kFullRowBit : 0u) | (static_cast<std::uint32_t>(row) & keep_);
  }
  [[nodiscard]] static std::uint32_t with_norm_command(std::uint32_t local, isa::NormCommand command) {
    constexpr std::uint32_t kMask = 7u << isa::LocalAddress::kNormCommandShift;
    return (local & ~kMask) | (static_cast<std::uint32_t>(command) << isa::LocalAddress::kNormCommandShift);
  }
  // Extension E4: the loop's row of tiles, which selects a store's row scales (isa/local_address.h).
  [[nodiscard]] std::uint32_t with_row_group(std::uint32_t local, std::uint32_t tile_row) const {
    return row_groups_ ? local | (tile_row % isa::LocalAddress::kRowGroups) << isa::LocalAddress::kRowGroupShift : local;
  }
  // "No operand" (LocalAddr.scala make_this_garbage).
  [[nodiscard]] std::uint32_t garbage() const {
    return isa::LocalAddress::kAccumulatorBit | isa::LocalAddress::kAccumulateBit | isa::LocalAddress::kFullRowBit | row_part_;
  }

  // mvin, mvin2, mvin3, mvout.
  [[nodiscard]] isa::Instruction move(std::uint8_t funct, std::uint64_t dram, std::uint32_t local, std::uint64_t cols,
                                      std::uint64_t rows) const {
    isa::Instruction i;
    i.funct = funct;
    isa::fields::Mvin::dram.set(i, dram);
    isa::fields::Mvin::local.set(i, local);
    isa::fields::Mvin::cols.set(i, cols & cols_mask_);
    isa::fields::Mvin::rows.set(i, rows & rows_mask_);
    return i;
  }
  [[nodiscard]] isa::Instruction preload(std::uint32_t weights, std::uint64_t cols, std::uint64_t rows, std::uint32_t out,
                                         std::uint64_t out_cols, std::uint64_t out_rows) const {
    isa::Instruction i;
    i.funct = isa::fields::Preload::kFunct;
    isa::fields::Preload::local.set(i, weights);
    isa::fields::Preload::cols.set(i, cols & cols_mask_);
    isa::fields::Preload::rows.set(i, rows & rows_mask_);
    isa::fields::Preload::out_local.set(i, out);
    isa::fields::Preload::out_cols.set(i, out_cols & cols_mask_);
    isa::fields::Preload::out_rows.set(i, out_rows & rows_mask_);
    return i;
  }
  // B is "no operand" of the given size.
  [[nodiscard]] isa::Instruction compute(bool flip, std::uint32_t a, std::uint64_t a_cols, std::uint64_t a_rows,
                                         std::uint64_t b_cols, std::uint64_t b_rows) const {
    isa::Instruction i;
    i.funct = flip ? isa::fields::ComputeFlip::kFunct : isa::fields::ComputeStay::kFunct;
    isa::fields::ComputeFlip::a_local.set(i, a);
    isa::fields::ComputeFlip::a_cols.set(i, a_cols & cols_mask_);
    isa::fields::ComputeFlip::a_rows.set(i, a_rows & rows_mask_);
    isa::fields::ComputeFlip::b_local.set(i, garbage());
    isa::fields::ComputeFlip::b_cols.set(i, b_cols & cols_mask_);
    isa::fields::ComputeFlip::b_rows.set(i, b_rows & rows_mask_);
    return i;
  }

 private:
  static std::uint64_t mask(int bits) { return (std::uint64_t{1} << bits) - 1; }

  std::uint64_t rows_mask_;
  std::uint64_t cols_mask_;
  std::uint32_t row_part_;   // row number and garbage bit
  bool row_groups_;
  std::uint32_t keep_;
};

// Counting as the unrollers do (Util.scala floorAdd): back to 0 when the bound is reached or passed. 16-bit iterators.
[[nodiscard]] constexpr std::uint32_t floor_add(std::uint32_t value, std::uint32_t step, std::uint32_t bound) {
  return value + step > bound - 1 ? 0 : value + step;
}

// DRAM offsets of generated commands are cut to 32 bits (LoopMatmul.scala, LoopConv.scala castDramOffset).
[[nodiscard]] constexpr std::uint64_t dram_offset(std::uint64_t bytes) { return bytes & 0xFFFFFFFFu; }

}  // namespace systole::hw
