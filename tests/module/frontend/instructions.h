#pragma once
// Short forms of the instructions that tests of the front end use.
#include "isa/instruction.h"
#include "isa/local_address.h"

namespace systole::test {

constexpr std::uint32_t kNoOperand = isa::LocalAddress::kGarbage;
constexpr std::uint32_t accumulator(std::uint32_t row) { return isa::LocalAddress::kAccumulatorBit | row; }

inline isa::Instruction mvin(std::uint32_t local, std::uint64_t cols = 16, std::uint64_t rows = 16, isa::Op op = isa::Op::kMvin) {
  isa::Instruction i = isa::make(op);
  isa::fields::Mvin::dram.set(i, 0x80001000);
  isa::fields::Mvin::local.set(i, local);
  isa::fields::Mvin::cols.set(i, cols);
  isa::fields::Mvin::rows.set(i, rows);
  return i;
}

inline isa::Instruction mvout(std::uint32_t local, std::uint64_t cols = 16, std::uint64_t rows = 16) {
  return mvin(local, cols, rows, isa::Op::kMvout);
}

inline isa::Instruction preload(std::uint32_t weights, std::uint32_t out, std::uint64_t rows = 16, std::uint64_t out_rows = 16) {
  isa::Instruction i = isa::make(isa::Op::kPreload);
  isa::fields::Preload::local.set(i, weights);
  isa::fields::Preload::cols.set(i, 16);
  isa::fields::Preload::rows.set(i, rows);
  isa::fields::Preload::out_local.set(i, out);
  isa::fields::Preload::out_cols.set(i, 16);
  isa::fields::Preload::out_rows.set(i, out_rows);
  return i;
}

inline isa::Instruction compute(std::uint32_t a, std::uint32_t b, std::uint64_t a_rows = 16, std::uint64_t a_cols = 16,
                                isa::Op op = isa::Op::kComputeFlip) {
  isa::Instruction i = isa::make(op);
  isa::fields::ComputeFlip::a_local.set(i, a);
  isa::fields::ComputeFlip::a_cols.set(i, a_cols);
  isa::fields::ComputeFlip::a_rows.set(i, a_rows);
  isa::fields::ComputeFlip::b_local.set(i, b);
  isa::fields::ComputeFlip::b_cols.set(i, 16);
  isa::fields::ComputeFlip::b_rows.set(i, 16);
  return i;
}

inline isa::Instruction config_ld(std::uint64_t state, std::uint64_t block_stride, std::uint64_t pixel_repeats = 1) {
  isa::Instruction i = isa::make(isa::Op::kConfigLd);
  isa::fields::ConfigLd::state.set(i, state);
  isa::fields::ConfigLd::block_stride.set(i, block_stride);
  isa::fields::ConfigLd::pixel_repeats.set(i, pixel_repeats);
  return i;
}

inline isa::Instruction config_ex(std::uint64_t a_stride = 1, std::uint64_t c_stride = 1, bool a_transpose = false) {
  isa::Instruction i = isa::make(isa::Op::kConfigEx);
  isa::fields::ConfigEx::dataflow.set(i, 1);
  isa::fields::ConfigEx::a_stride.set(i, a_stride);
  isa::fields::ConfigEx::c_stride.set(i, c_stride);
  isa::fields::ConfigEx::a_transpose.set(i, a_transpose);
  return i;
}

inline isa::Instruction config_st(std::uint64_t pool_stride = 0) {
  isa::Instruction i = isa::make(isa::Op::kConfigSt);
  isa::fields::ConfigSt::pool_stride.set(i, pool_stride);
  return i;
}

}  // namespace systole::test
