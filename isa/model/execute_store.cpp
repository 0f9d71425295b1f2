// config_st and mvout: local rows to main memory, scaled, activated and pooled on their way.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "isa/model/model.h"

namespace systole::isa {
namespace {

constexpr std::uint64_t kKeepScale =
    0xFFFFFFFF;  // config_st.acc_scale with all bits set changes nothing (StoreController.scala)

// What a block that is not the last of its row does instead: only the last one ends a sum (NormCmd.scala
// non_reset_version).
NormCommand before_last(NormCommand command) {
  switch (command) {
    case NormCommand::kMean:
      return NormCommand::kSum;
    case NormCommand::kInvStddev:
      return NormCommand::kVariance;
    case NormCommand::kInvSumExp:
      return NormCommand::kSumExp;
    case NormCommand::kReset:
    case NormCommand::kSum:
    case NormCommand::kVariance:
    case NormCommand::kMax:
    case NormCommand::kSumExp:
      return command;
  }
  return command;
}

}  // namespace

void Model::config_store(const Instruction& instruction) {
  namespace f = fields::ConfigSt;
  const auto get = [&](const Field& field) { return static_cast<std::uint32_t>(field.get(instruction)); };
  model::StoreState& store = state_.store;
  store.stride = get(f::stride);
  store.activation = get(f::activation);  // clears the third bit, which only config_norm sets
  const std::uint32_t scale_bits = get(f::acc_scale);
  if (scale_bits != kKeepScale) std::memcpy(&store.scale, &scale_bits, sizeof store.scale);
  store.pool_stride = get(f::pool_stride);
  store.pool_size = get(f::pool_size);
  if (store.pool_stride != 0 || store.pool_size != 0) {
    store.rows = get(f::orows);
    store.cols = get(f::ocols);
    store.pool_out_dim = get(f::pool_out_dim);
  }
  if (store.pool_stride != 0) {
    store.pool_rows = get(f::porows);
    store.pool_cols = get(f::pocols);
    store.upper_pad = get(f::upad);
    store.left_pad = get(f::lpad);
  }
}

void Model::mvout(const Instruction& instruction) {
  namespace f = fields::Mvout;
  const std::uint64_t address = f::dram.get(instruction);
  const LocalAddress local(static_cast<std::uint32_t>(f::local.get(instruction)));
  const int cols = static_cast<int>(f::cols.get(instruction) & ((1u << geometry_.cols_bits()) - 1));
  const int rows = static_cast<int>(f::rows.get(instruction) & ((1u << geometry_.rows_bits()) - 1));
  if (cols == 0) fail("a store of 0 columns");
  if (cols > geometry_.dim && local.is_accumulator() && local.full_row() && !is_garbage(local)) {
    fail(fmt::format("{} columns of full accumulator rows; at most {} in one store", cols, geometry_.dim));
  }
  if (state_.store.pool_stride == 0 && state_.store.pool_size == 0) return mvout_rows(address, local, cols, rows);
  if (cols > geometry_.dim) fail(fmt::format("{} columns in a pooling store; at most {}", cols, geometry_.dim));
  if (state_.store.pool_stride != 0) return mvout_pooled(address, local, cols);
  mvout_flattened(address, local, cols);
}

void Model::mvout_rows(std::uint64_t address, LocalAddress local, int cols, int rows) {
  if (rows == 0) fail("a store of 0 rows");
  if (rows > geometry_.dim) fail(fmt::format("{} rows of at most {}", rows, geometry_.dim));
  const int dim = geometry_.dim;
  const int blocks = (cols + dim - 1) / dim;
  const auto command = geometry_.normaliser ? static_cast<NormCommand>(local.norm_command()) : NormCommand::kReset;
  for (int row = 0; row < rows; ++row) {
    row_buffer_.clear();
    for (int block = 0; block < blocks; ++block) {
      const bool last = block == blocks - 1;
      const int count = last ? cols - block * dim : dim;
      read_block(local.plus(static_cast<std::uint32_t>(block * dim + row), row_bits_), count,
                 last ? command : before_last(command), row_buffer_);
    }
    if (row_buffer_.empty()) continue;
    std::uint8_t* to = stored_dram(address + static_cast<std::uint64_t>(row) * state_.store.stride, row_buffer_.size());
    std::memcpy(to, row_buffer_.data(), row_buffer_.size());
  }
}

// Store of a whole tile as a list of rows, orows * ocols of them (StoreController.scala mvout_1d).
void Model::mvout_flattened(std::uint64_t address, LocalAddress local, int cols) {
  const model::StoreState& store = state_.store;
  if (store.rows * store.cols == 0) fail("a flattened store of 0 rows");
  for (std::uint32_t row = 0; row < store.rows; ++row) {
    for (std::uint32_t col = 0; col < store.cols; ++col) {
      row_buffer_.clear();
      read_block(local.plus(row * store.cols + col, row_bits_), cols, NormCommand::kReset, row_buffer_);
      std::uint8_t* to =
          stored_dram(address + std::uint64_t{row * store.pool_out_dim + col} * store.stride, row_buffer_.size());
      std::memcpy(to, row_buffer_.data(), row_buffer_.size());
    }
  }
}

void Model::mvout_pooled(std::uint64_t address, LocalAddress local, int cols) {
  const model::StoreState& store = state_.store;
  if (store.pool_size == 0 || store.pool_rows == 0 || store.pool_cols == 0)
    fail("max-pooling with an empty window or output");
  if (local.is_accumulator() && local.full_row()) fail("max-pooling of full accumulator rows");
  for (std::uint32_t out_row = 0; out_row < store.pool_rows; ++out_row) {
    for (std::uint32_t out_col = 0; out_col < store.pool_cols; ++out_col) {
      std::uint8_t* to = stored_dram(address + std::uint64_t{out_row * store.pool_out_dim + out_col} * store.stride,
                                     static_cast<std::uint64_t>(cols));
      for (std::uint32_t window = 0; window < store.pool_size * store.pool_size; ++window) {
        const std::uint32_t row = out_row * store.pool_stride + window / store.pool_size - store.upper_pad;
        const std::uint32_t col = out_col * store.pool_stride + window % store.pool_size - store.left_pad;
        row_buffer_.clear();
        // Padding counts as 0, not as the smallest number. (Negative coordinates are huge as unsigned numbers.)
        if (row >= store.rows || col >= store.cols) {
          row_buffer_.resize(static_cast<std::size_t>(cols));
        } else {
          read_block(local.plus(row * store.cols + col, row_bits_), cols, NormCommand::kReset, row_buffer_);
        }
        if (window == 0) {
          std::memcpy(to, row_buffer_.data(), static_cast<std::size_t>(cols));
          continue;
        }
        for (int i = 0; i < cols; ++i) {
          const auto value = static_cast<std::int8_t>(row_buffer_[static_cast<std::size_t>(i)]);
          to[i] = static_cast<std::uint8_t>(std::max(static_cast<std::int8_t>(to[i]), value));
        }
      }
    }
  }
}

void Model::read_block(LocalAddress local, int cols, NormCommand command, std::vector<std::uint8_t>& out) {
  const std::size_t begin = out.size();
  const auto count = static_cast<std::size_t>(cols);
  if (is_garbage(local)) {
    out.resize(begin + count);
    return;
  }
  if (!local.is_accumulator()) {
    out.resize(begin + count);
    std::memcpy(out.data() + begin, scratchpad(row_of(local)), count);
    return;
  }
  const std::int32_t* words = accumulator(row_of(local));
  if (geometry_.normaliser && !collect(words, cols, command, row_of(local), local.row_group(row_bits_))) return;
  if (local.full_row()) {
    out.resize(begin + 4 * count);
    std::memcpy(out.data() + begin, words, 4 * count);
    return;
  }
  out.resize(begin + count);
  read_activated(local, cols, reinterpret_cast<std::int8_t*>(out.data() + begin));
}

}  // namespace systole::isa
