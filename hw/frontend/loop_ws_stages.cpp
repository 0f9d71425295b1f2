#include "hw/frontend/loop_ws_stages.h"

#include <array>

#include "sim/base/errors.h"

namespace systole::hw {
namespace {

constexpr std::uint32_t kStatisticsIds = 2;   // LoopMatmul.scala NORM_STAT_IDS
constexpr std::uint32_t kPasses = 3;

struct PassCommands {
  isa::NormCommand inner;   // all blocks of the row but the last
  isa::NormCommand last;
};
using isa::NormCommand;
// LoopMatmul.scala ln_norm_cmds, sm_norm_cmds.
constexpr std::array<PassCommands, kPasses> kLayerNormPasses{{{NormCommand::kSum, NormCommand::kMean},
                                                              {NormCommand::kVariance, NormCommand::kInvStddev},
                                                              {NormCommand::kReset, NormCommand::kReset}}};
constexpr std::array<PassCommands, kPasses> kSoftmaxPasses{{{NormCommand::kMax, NormCommand::kMax},
                                                            {NormCommand::kSumExp, NormCommand::kInvSumExp},
                                                            {NormCommand::kReset, NormCommand::kReset}}};

std::uint32_t short_tile(std::uint32_t dim, bool last, std::uint32_t pad) { return dim - (last ? pad : 0); }

}  // namespace

isa::Instruction TileLoad::command(const OperandFormat& format, std::uint32_t dim) const {
  const Request& r = request_;
  const bool swap = r.column_is_minor;
  const std::uint32_t row = swap ? major_ : minor_;
  const std::uint32_t column = swap ? minor_ : major_;
  const std::uint32_t max_row = swap ? r.max_major : r.max_minor;
  const std::uint32_t max_column = swap ? r.max_minor : r.max_major;
  const std::uint32_t row_pad = swap ? r.pad_major : r.pad_minor;
  const std::uint32_t column_pad = swap ? r.pad_minor : r.pad_major;

  const std::uint32_t blocks = std::min(r.max_blocks, max_column - column);
  const std::uint32_t cols = blocks * dim - (column + blocks >= max_column ? column_pad : 0);
  const std::uint32_t rows = short_tile(dim, r.pad_rows && row == max_row - 1, row_pad);
  const std::uint64_t dram = r.dram + dram_offset((row * r.stride + column) * dim * r.element_bytes);
  const std::uint64_t local = r.local_start + (std::uint64_t{row} * max_column + column) * dim;
  return format.move(r.funct, dram, r.to_accumulator ? format.accumulator(local, r.accumulate, false) : format.scratchpad(local), cols,
                     rows);
}

void TileLoad::advance() {
  const Request& r = request_;
  minor_ = floor_add(minor_, r.column_is_minor ? r.max_blocks : 1, r.max_minor);
  if (minor_ != 0) return;
  major_ = floor_add(major_, r.column_is_minor ? 1 : r.max_blocks, r.max_major);
  if (major_ == 0) active_ = false;
}

isa::Op LoopWsExecute::op() const {
  if (state_ == State::kPreload) return isa::Op::kPreload;
  return i_ == 0 ? isa::Op::kComputeFlip : isa::Op::kComputeStay;
}

isa::Instruction LoopWsExecute::command(const OperandFormat& format, std::uint32_t dim) const {
  const LoopWsLoop& loop = request_.loop;
  const std::uint32_t i_size = short_tile(dim, i_ == loop.max_i - 1, loop.pad_i);
  const std::uint32_t j_size = short_tile(dim, j_ == loop.max_j - 1, loop.pad_j);
  const std::uint32_t k_size = short_tile(dim, k_ == loop.max_k - 1, loop.pad_k);
  if (state_ == State::kPreload) {
    const std::uint64_t c_tile = std::uint64_t{i_} * loop.max_j + j_;
    const std::uint32_t weights = i_ == 0 ? format.scratchpad(request_.b_start + b_tile(k_, j_) * dim) : format.garbage();
    const std::uint32_t out = format.accumulator(request_.c_start + c_tile * dim, loop.ex_accumulate || k_ != 0, false);
    return format.preload(weights, j_size, k_size, out, j_size, i_size);
  }
  return format.compute(i_ == 0, format.scratchpad(request_.a_start + a_tile(i_, k_) * dim), k_size, i_size, dim, dim);
}

bool LoopWsExecute::keeps_banks(std::uint32_t from, std::uint32_t to, const Banks& banks) const {
  const auto keeps = [&](std::uint64_t first, std::uint64_t last) {
    return first / banks.bank_rows == (last + banks.operand_rows - 1) / banks.bank_rows;
  };
  for (std::uint32_t i = 0; i < request_.loop.max_i; ++i) {
    if (!keeps(request_.a_start + a_tile(i, from) * banks.dim, request_.a_start + a_tile(i, to) * banks.dim)) return false;
  }
  for (std::uint32_t j = 0; j < request_.loop.max_j; ++j) {
    if (!keeps(request_.b_start + b_tile(from, j) * banks.dim, request_.b_start + b_tile(to, j) * banks.dim)) return false;
  }
  return true;
}

void LoopWsExecute::advance() {
  if (state_ == State::kPreload) {
    state_ = State::kCompute;
    return;
  }
  const LoopWsLoop& loop = request_.loop;
  state_ = State::kPreload;
  i_ = floor_add(i_, 1, loop.max_i);
  if (i_ != 0) return;
  j_ = floor_add(j_, 1, loop.max_j);
  if (j_ != 0) return;
  k_ = floor_add(k_, 1, loop.max_k);
  if (k_ == 0) state_ = State::kIdle;
}

bool LoopWsStore::normalises() const {
  return request_.loop.activation == static_cast<std::uint32_t>(isa::Activation::kLayerNorm) ||
         request_.loop.activation == static_cast<std::uint32_t>(isa::Activation::kSoftmax);
}

void LoopWsStore::start(const Request& request) {
  request_ = request;
  j_ = i_ = row_ = pass_ = stats_id_ = 0;
  state_ = normalises() ? State::kNormConfig : State::kStore;
}

bool LoopWsStore::behind(std::uint32_t k, std::uint32_t j, std::uint32_t i) const {
  const std::uint32_t end = j_ + blocks();
  if (request_.is_resadd) return i > i_ || (i == i_ && j >= end);
  if (normalises()) return false;
  return k == request_.max_k - 1 && (j >= end || (j == end - 1 && i > i_));
}

std::uint32_t LoopWsStore::rows(std::uint32_t dim) const {
  return short_tile(dim, i_ == request_.loop.max_i - 1, request_.loop.pad_i);
}

std::uint32_t LoopWsStore::cols(std::uint32_t dim) const {
  return blocks() * dim - (j_ + blocks() >= request_.loop.max_j ? request_.loop.pad_j : 0);
}

isa::Instruction LoopWsStore::command(const OperandFormat& format, std::uint32_t dim) const {
  if (state_ == State::kNormConfig) return norm_config();
  if (state_ == State::kNormStore) return norm_store(format, dim);
  const LoopWsLoop& loop = request_.loop;
  const std::uint64_t element_bytes = loop.full_c ? 4 : 1;
  const std::uint64_t dram = loop.c_dram + dram_offset((i_ * loop.c_stride + j_) * dim * element_bytes);
  const std::uint64_t local = request_.c_start + (std::uint64_t{i_} * loop.max_j + j_) * dim;
  const std::uint32_t address = format.with_row_group(format.accumulator(local, false, loop.full_c), loop.row_group + i_);
  return format.move(isa::fields::Mvout::kFunct, dram, address, cols(dim), rows(dim));
}

isa::Instruction LoopWsStore::norm_config() const {
  isa::Instruction i = isa::make(isa::Op::kConfigNorm);
  isa::fields::ConfigNorm::set_stats_id_only.set(i, 1);
  isa::fields::ConfigNorm::stats_id.set(i, stats_id_);
  return i;
}

isa::Instruction LoopWsStore::norm_store(const OperandFormat& format, std::uint32_t dim) const {
  const LoopWsLoop& loop = request_.loop;
  const auto& passes =
      loop.activation == static_cast<std::uint32_t>(isa::Activation::kLayerNorm) ? kLayerNormPasses : kSoftmaxPasses;
  const NormCommand norm = j_ + request_.max_blocks >= loop.max_j ? passes[pass_].last : passes[pass_].inner;
  const std::uint32_t row = row_ + stats_id_;
  const std::uint64_t dram = loop.c_dram + dram_offset((i_ * loop.c_stride + j_) * dim + row * loop.c_stride);
  const std::uint64_t local = request_.c_start + (std::uint64_t{i_} * loop.max_j + j_) * dim + row;
  const std::uint32_t address = OperandFormat::with_norm_command(format.with_row_group(format.accumulator(local, false, loop.full_c), loop.row_group + i_), norm);
  return format.move(isa::fields::Mvout::kFunct, dram, address, cols(dim), 1);
}

void LoopWsStore::advance(std::uint32_t dim) {
  switch (state_) {
    case State::kIdle:
      SYSTOLE_CHECK(false);
      return;
    case State::kNormConfig:
      state_ = State::kNormStore;
      return;
    case State::kNormStore:
      advance_norm(dim);
      return;
    case State::kStore:
      break;
  }
  i_ = floor_add(i_, 1, request_.loop.max_i);
  if (i_ != 0) return;
  j_ = floor_add(j_, request_.max_blocks, request_.loop.max_j);
  if (j_ == 0) state_ = State::kIdle;
}

void LoopWsStore::advance_norm(std::uint32_t dim) {
  const std::uint32_t tile_rows = rows(dim);
  const std::uint32_t ids = std::min(tile_rows - row_, kStatisticsIds);
  j_ = floor_add(j_, request_.max_blocks, request_.loop.max_j);
  if (j_ != 0) return;
  state_ = State::kNormConfig;
  stats_id_ = floor_add(stats_id_, 1, ids);
  if (stats_id_ != 0) return;
  pass_ = floor_add(pass_, 1, kPasses);
  if (pass_ != 0) return;
  row_ = floor_add(row_, kStatisticsIds, tile_rows);
  if (row_ != 0) return;
  i_ = floor_add(i_, 1, request_.loop.max_i);
  if (i_ == 0) state_ = State::kIdle;
}

}  // namespace systole::hw
