#pragma once
// Instructions as the loop units emit them, from sizes and rows.
#include <cstdint>

#include "isa/instruction.h"
#include "isa/local_address.h"

namespace systole::isa::model {

// DRAM addresses have the width of the core's addresses; offsets inside an operand wrap at 32 bits (LoopMatmul.scala
// castDramOffset).
inline std::uint64_t dram_address(std::uint64_t base, std::uint64_t offset) {
  constexpr std::uint64_t kAddressMask = (std::uint64_t{1} << 40) - 1;
  return (base + (offset & 0xFFFFFFFFu)) & kAddressMask;
}

// Fields cut off what does not fit, as the hardware's command words do.
inline Instruction move(Op op, std::uint64_t dram, std::uint32_t local, std::uint32_t cols, std::uint32_t rows) {
  // mvin, mvin2, mvin3 and mvout share one operand layout.
  Instruction result = make(op);
  fields::Mvin::dram.set(result, dram);
  fields::Mvin::local.set(result, local);
  fields::Mvin::cols.set(result, cols);
  fields::Mvin::rows.set(result, rows);
  return result;
}

inline Instruction preload(std::uint32_t local, std::uint32_t cols, std::uint32_t rows, std::uint32_t out,
                           std::uint32_t out_cols, std::uint32_t out_rows) {
  namespace f = fields::Preload;
  Instruction result = make(Op::kPreload);
  f::local.set(result, local);
  f::cols.set(result, cols);
  f::rows.set(result, rows);
  f::out_local.set(result, out);
  f::out_cols.set(result, out_cols);
  f::out_rows.set(result, out_rows);
  return result;
}

// compute without a streamed B or bias: only A is named.
inline Instruction compute(bool flip, std::uint32_t a, std::uint32_t a_cols, std::uint32_t a_rows, std::uint32_t b_cols,
                           std::uint32_t b_rows) {
  namespace f = fields::ComputeFlip;
  Instruction result = make(flip ? Op::kComputeFlip : Op::kComputeStay);
  f::a_local.set(result, a);
  f::a_cols.set(result, a_cols);
  f::a_rows.set(result, a_rows);
  f::b_local.set(result, LocalAddress::kGarbage);
  f::b_cols.set(result, b_cols);
  f::b_rows.set(result, b_rows);
  return result;
}

}  // namespace systole::isa::model
