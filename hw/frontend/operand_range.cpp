#include "hw/frontend/operand_range.h"

#include <algorithm>

#include "hw/params/derived.h"
#include "sim/base/errors.h"

namespace systole::hw {
namespace {

namespace f = isa::fields;

constexpr std::uint32_t low_mask(int bits) { return bits >= 32 ? ~0u : (1u << bits) - 1u; }

isa::LocalAddress local(const isa::Field& field, const isa::Instruction& i) {
  return isa::LocalAddress(static_cast<std::uint32_t>(field.get(i)));
}

}  // namespace

OperandAnalyser::OperandAnalyser(const FrontEndParams& params)
    : params_(params),
      scratchpad_bits_(log2_ceil(params.scratchpad_rows)),
      accumulator_bits_(log2_ceil(params.accumulator_rows)),
      rows_mask_(low_mask(params.rows_bits)),
      cols_mask_(low_mask(params.cols_bits)),
      stride_mask_(low_mask(std::min(16, params.row_bits))),
      repeats_mask_(low_mask(std::min(8, params.rows_bits))) {}

// `end`: a row of the address's own memory; an end that lies in another memory is 0.
OperandRange OperandAnalyser::between(isa::LocalAddress address, std::uint32_t end, bool wraps) const {
  OperandRange result;
  result.valid = true;
  if (address.is_garbage(params_.row_bits)) {
    result.start = ~0u;
    return result;
  }
  const bool accumulator = address.is_accumulator();
  const std::uint32_t memory = accumulator ? OperandRange::kAccumulator : 0;
  result.start = memory | address.row(accumulator ? accumulator_bits_ : scratchpad_bits_);
  result.end = memory | (wraps ? ~OperandRange::kAccumulator : end);
  return result;
}

OperandRange OperandAnalyser::range(isa::LocalAddress address, std::uint64_t rows) const {
  const int bits = address.is_accumulator() ? accumulator_bits_ : scratchpad_bits_;
  // The row field is as wide as the larger memory; the carry out of the memory's own rows is looked at (LocalAddr.scala
  // add_with_overflow).
  const std::uint64_t sum = address.row(params_.row_bits) + rows;
  return between(address, static_cast<std::uint32_t>(sum) & low_mask(bits), ((sum >> bits) & 1u) != 0);
}

std::uint64_t OperandAnalyser::span(std::uint64_t cols, std::uint64_t rows, std::uint64_t block_stride, int stride_bits) const {
  const auto dim = static_cast<std::uint64_t>(params_.dim);
  // In the widths of the RTL: no columns count as a block number of all ones.
  const std::uint64_t last_block = ((cols + dim - 1) / dim - 1) & cols_mask_;
  return (last_block * block_stride + rows) & ((std::uint64_t{1} << (params_.cols_bits + stride_bits)) - 1);
}

isa::LocalAddress OperandAnalyser::lowered(isa::LocalAddress address, std::uint32_t rows) const {
  const std::uint32_t half = static_cast<std::uint32_t>(params_.scratchpad_rows) / 2;
  const std::uint32_t floor = address.row(scratchpad_bits_) > half ? half : 0;
  const std::uint32_t row = address.row(params_.row_bits);
  const std::uint32_t result = row < floor + rows ? floor : row - rows;
  return isa::LocalAddress((address.bits() & ~low_mask(params_.row_bits)) | result);
}

// A load with pixel repeats writes rows below its address too; the end is computed from the lowered start.
OperandRange OperandAnalyser::loaded(const isa::Instruction& i, unsigned state) const {
  const isa::LocalAddress address = local(f::Mvin::local, i);
  const isa::LocalAddress start = address.is_accumulator() ? address : lowered(address, extra_pixels_[state]);
  const std::uint64_t rows = span(f::Mvin::cols.get(i) & cols_mask_, f::Mvin::rows.get(i) & rows_mask_, block_stride_[state],
                                  std::min(16, params_.row_bits));
  return range(start, rows);
}

// A pooling store is taken to read everything up to the end of its accumulator bank.
OperandRange OperandAnalyser::rest_of_bank(isa::LocalAddress address) const {
  const auto banks = static_cast<std::uint32_t>(params_.accumulator_banks);
  const int bank_row_bits = accumulator_bits_ - log2_ceil(params_.accumulator_banks);
  const std::uint32_t next_bank = ((address.row(accumulator_bits_) >> bank_row_bits) + 1) % banks;
  return between(address, address.is_accumulator() ? next_bank << bank_row_bits : 0, next_bank == 0);
}

OperandRange OperandAnalyser::stored(const isa::Instruction& i) const {
  const isa::LocalAddress address = local(f::Mvout::local, i);
  if (pooling_) return rest_of_bank(address);
  const std::uint64_t rows = span(f::Mvout::cols.get(i) & cols_mask_, f::Mvout::rows.get(i) & rows_mask_,
                                  static_cast<std::uint64_t>(params_.dim), log2_ceil(params_.dim) + 1);
  return range(address, rows);
}

void OperandAnalyser::operands(isa::Op op, const isa::Instruction& i, Operands& result) const {
  result = Operands{};
  if (op == isa::Op::kMvin || op == isa::Op::kMvin2 || op == isa::Op::kMvin3) {
    result.a = loaded(i, op == isa::Op::kMvin ? 0 : op == isa::Op::kMvin2 ? 1 : 2);
    result.a_is_destination = true;
  } else if (op == isa::Op::kPreload) {
    result.a = range(local(f::Preload::out_local, i), (f::Preload::out_rows.get(i) & rows_mask_) * c_stride_);
    result.b = range(local(f::Preload::local, i), f::Preload::rows.get(i) & rows_mask_);
    result.a_is_destination = true;
  } else if (op == isa::Op::kComputeFlip || op == isa::Op::kComputeStay) {
    const std::uint64_t rows = (a_transpose_ ? f::ComputeFlip::a_cols : f::ComputeFlip::a_rows).get(i) & rows_mask_;
    result.a = range(local(f::ComputeFlip::a_local, i), rows * a_stride_);
    result.b = range(local(f::ComputeFlip::b_local, i), f::ComputeFlip::b_rows.get(i) & rows_mask_);
  } else if (op == isa::Op::kMvout) {
    result.a = stored(i);
  } else if (op == isa::Op::kStoreSpad) {
    result.a = range(local(f::StoreSpad::dst_local, i), f::StoreSpad::rows.get(i) & rows_mask_);
    result.b = stored(i);
    result.a_is_destination = true;
  }
}

void OperandAnalyser::configure(isa::Op op, const isa::Instruction& i) {
  if (op == isa::Op::kConfigEx) {
    a_stride_ = static_cast<std::uint32_t>(f::ConfigEx::a_stride.get(i)) & stride_mask_;
    c_stride_ = static_cast<std::uint32_t>(f::ConfigEx::c_stride.get(i)) & stride_mask_;
    if (f::ConfigEx::set_only_strides.get(i) == 0) a_transpose_ = f::ConfigEx::a_transpose.get(i) != 0;
  } else if (op == isa::Op::kConfigLd) {
    const auto state = static_cast<unsigned>(f::ConfigLd::state.get(i));
    SYSTOLE_CHECK(is_load_state(state));
    block_stride_[state] = static_cast<std::uint32_t>(f::ConfigLd::block_stride.get(i)) & stride_mask_;
    const std::uint32_t repeats = static_cast<std::uint32_t>(f::ConfigLd::pixel_repeats.get(i)) & repeats_mask_;
    extra_pixels_[state] = std::max(repeats, 1u) - 1;
  } else if (op == isa::Op::kConfigSt) {
    pooling_ = f::ConfigSt::pool_stride.get(i) != 0;
  }
}

}  // namespace systole::hw
