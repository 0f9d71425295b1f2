#include "hw/frontend/loop_conv_stages.h"

#include "sim/base/errors.h"

namespace systole::hw {
namespace {

constexpr std::uint32_t kScaleOne = 0x3F800000;         // 1.0f (LoopConv.scala MVIN_SCALE_IDENTITY)
constexpr std::uint32_t kKeepScale = 0xFFFFFFFF;        // LoopConv.scala ACC_SCALE_NO_CHANGE
constexpr std::uint32_t kLoadStateInput = 0, kLoadStateWeights = 1, kLoadStateBias = 2;
constexpr int kAccumulatorElementBytes = 4;

std::uint64_t low_bits(std::uint64_t value, int bits) { return value & ((std::uint64_t{1} << bits) - 1); }

// Counting from `min` with a step; back to `min` when the bound is reached or passed (Util.scala sFloorAdd).
std::int64_t floor_add_from(std::int64_t value, std::int64_t step, std::int64_t bound, std::int64_t min) {
  return value + step > bound - 1 ? min : value + step;
}

}  // namespace

GeneratedCommand ConvGenerator::load_config(unsigned state, std::uint32_t block_stride, std::uint32_t pixel_repeats,
                                            std::uint64_t stride) const {
  using namespace isa::fields;
  GeneratedCommand result{isa::Op::kConfigLd, isa::make(isa::Op::kConfigLd)};
  ConfigLd::state.set(result.instruction, state);
  ConfigLd::block_stride.set(result.instruction, low_bits(block_stride, std::min(16, params_.row_bits)));
  ConfigLd::pixel_repeats.set(result.instruction, low_bits(pixel_repeats, std::min(8, params_.rows_bits)));
  ConfigLd::scale.set(result.instruction, kScaleOne);
  ConfigLd::stride.set(result.instruction, stride);
  return result;
}

std::uint64_t ConvGenerator::output_row(std::uint32_t och, std::uint32_t b, std::uint32_t orow, std::uint32_t ocol) const {
  const std::uint64_t image = std::uint64_t{loop_.orows} * loop_.ocols;
  return och / dim_ * loop_.batches * image + b * image + std::uint64_t{orow} * loop_.ocols + ocol;
}

// ---- bias

void ConvLoadBias::restart() {
  config_ = true;
  b_ = orow_ = ocol_ = och_ = 0;
}

std::uint32_t ConvLoadBias::max_channels() const {
  return std::min(loop_.pochs, static_cast<std::uint32_t>(params_.max_block_len_acc) * dim_);
}

GeneratedCommand ConvLoadBias::command() const {
  if (config_) return load_config(kLoadStateBias, loop_.bias_spad_stride, 1, 0);
  const std::uint64_t dram = loop_.no_bias ? 0 : loop_.bias_dram + dram_offset(std::uint64_t{och_} * kAccumulatorElementBytes);
  const std::uint32_t local = format_.accumulator(start_row_ + output_row(och_, b_, orow_, ocol_), false, false);
  const std::uint32_t pixels = std::min(loop_.ocols - ocol_, dim_);
  const std::uint32_t channels = std::min(loop_.pochs - och_, max_channels());
  return {isa::Op::kMvin3, format_.move(isa::fields::Mvin3::kFunct, dram, local, channels, pixels)};
}

void ConvLoadBias::advance() {
  if (config_) {
    config_ = false;
    return;
  }
  och_ = floor_add(och_, max_channels(), loop_.pochs);
  if (och_ != 0) return;
  ocol_ = floor_add(ocol_, dim_, loop_.ocols);
  if (ocol_ != 0) return;
  orow_ = floor_add(orow_, 1, loop_.orows);
  if (orow_ != 0) return;
  b_ = floor_add(b_, 1, loop_.batches);
  if (b_ == 0) active_ = false;
}

// ---- input

void ConvLoadInput::restart() {
  config_ = true;
  b_ = ich_ = 0;
  irow_ = -std::int64_t{loop_.undilated(loop_.upad)};
  icol_ = -std::int64_t{loop_.undilated(loop_.lpad)};
}

std::int64_t ConvLoadInput::max_channels() const {
  return std::min(loop_.trans_input_3120 ? loop_.batches : loop_.kchs, static_cast<std::uint32_t>(params_.max_block_len) * dim_);
}

std::int64_t ConvLoadInput::run_length() const {
  const std::int64_t dim = dim_;
  const std::int64_t cols = loop_.icols_unpadded;
  if (icol_ < 0) return std::min(-icol_, dim);
  if (icol_ >= cols) return std::min(cols + loop_.undilated(loop_.rpad) - icol_, dim);
  return std::min(cols - icol_, dim << row_shift());
}

GeneratedCommand ConvLoadInput::command() const {
  const LoopConvLoop& l = loop_;
  if (config_) {
    const std::uint64_t pixel_stride = l.trans_input_3120 ? l.batch_size : l.in_stride;
    return load_config(kLoadStateInput, l.input_spad_stride, l.max_pixels_per_row, pixel_stride << row_shift());
  }
  const bool outside = irow_ < 0 || irow_ >= l.irows_unpadded || icol_ < 0 || icol_ >= l.icols_unpadded;
  const std::int64_t in_rows = l.in_row_dim;
  const std::int64_t in_cols = l.in_col_dim;
  const std::int64_t position = l.trans_input_3120
                                    ? (ich_ * in_cols * in_rows + irow_ * in_cols + icol_) * l.batches + b_
                                    : (b_ * in_rows * in_cols + irow_ * in_cols + icol_) * l.in_stride + ich_;
  const std::uint64_t dram = outside ? 0 : l.input_dram + dram_offset(static_cast<std::uint64_t>(position));

  const std::int64_t group = (l.trans_input_3120 ? b_ : ich_) / dim_;
  const std::int64_t image = (l.trans_input_3120 ? ich_ : b_);
  const std::int64_t padded_row = irow_ + l.undilated(l.upad);
  const std::int64_t padded_col = icol_ + l.undilated(l.lpad);
  const std::uint64_t local = start_row_ + static_cast<std::uint64_t>(group) * l.input_spad_stride +
                              static_cast<std::uint64_t>(image) * image_rows() +
                              static_cast<std::uint64_t>(padded_row >> row_shift()) * (l.icols >> row_shift()) +
                              static_cast<std::uint64_t>(padded_col >> row_shift());

  const std::int64_t channels = l.trans_input_3120 ? std::min(l.batches - b_, max_channels()) : std::min(l.kchs - ich_, max_channels());
  return {isa::Op::kMvin, format_.move(isa::fields::Mvin::kFunct, dram, format_.scratchpad(local), static_cast<std::uint64_t>(channels),
                                       static_cast<std::uint64_t>(run_length() >> row_shift()))};
}

void ConvLoadInput::advance() {
  if (config_) {
    config_ = false;
    return;
  }
  const LoopConvLoop& l = loop_;
  const std::int64_t first_row = -std::int64_t{l.undilated(l.upad)};
  const std::int64_t first_col = -std::int64_t{l.undilated(l.lpad)};
  const std::int64_t run = run_length();
  ich_ = floor_add_from(ich_, l.trans_input_3120 ? 1 : max_channels(), l.kchs, 0);
  if (ich_ != 0) return;
  icol_ = floor_add_from(icol_, run, std::int64_t{l.icols_unpadded} + l.undilated(l.rpad), first_col);
  if (icol_ != first_col) return;
  irow_ = floor_add_from(irow_, std::int64_t{1} << row_shift(), std::int64_t{l.irows_unpadded} + l.undilated(l.dpad), first_row);
  if (irow_ != first_row) return;
  b_ = floor_add_from(b_, l.trans_input_3120 ? max_channels() : 1, l.batches, 0);
  if (b_ == 0) active_ = false;
}

// ---- weights. start_row is the row behind the last one: weights are placed backwards from there.

void ConvLoadWeights::restart() {
  config_ = true;
  och_ = krow_ = kcol_ = kch_ = 0;
}

std::uint32_t ConvLoadWeights::max_channels() const {
  return std::min(loop_.trans_weight_0132 ? loop_.kchs : loop_.pochs, static_cast<std::uint32_t>(params_.max_block_len) * dim_);
}

std::uint64_t ConvLoadWeights::dram_row_stride() const {
  if (loop_.depthwise) return 1;
  if (loop_.trans_weight_1203) return std::uint64_t{loop_.kernel_dim} * loop_.kernel_dim * loop_.out_channels;
  if (loop_.trans_weight_0132) return loop_.in_channels;
  return loop_.weight_stride;
}

std::uint64_t ConvLoadWeights::dram_position() const {
  const LoopConvLoop& l = loop_;
  const std::uint64_t kernel = l.kernel_dim;
  if (l.depthwise) return krow_ * kernel + kcol_;
  if (l.trans_weight_1203) return (kch_ * kernel * kernel + krow_ * kernel + kcol_) * l.out_channels + och_;
  if (l.trans_weight_0132) return (krow_ * kernel * l.out_channels + std::uint64_t{kcol_} * l.out_channels + och_) * l.in_channels + kch_;
  return (krow_ * kernel * l.in_channels + std::uint64_t{kcol_} * l.in_channels + kch_) * l.weight_stride + och_;
}

GeneratedCommand ConvLoadWeights::command() const {
  const LoopConvLoop& l = loop_;
  if (config_) return load_config(kLoadStateWeights, l.weight_spad_stride, 1, dram_row_stride());
  const std::uint64_t kernel_position = std::uint64_t{krow_} * l.kcols + kcol_;
  const std::uint64_t kernel_size = std::uint64_t{l.krows} * l.kcols;
  const std::uint64_t row = l.trans_weight_0132 ? kch_ / dim_ * kernel_size * l.pochs + kernel_position * l.pochs + och_
                                                : och_ / dim_ * kernel_size * l.kchs + kernel_position * l.kchs + kch_;
  const std::uint32_t local = format_.scratchpad(start_row_ - l.weight_rows + row);
  const std::uint32_t ochs = l.pochs - och_;
  const std::uint32_t kchs = l.kchs - kch_;
  const std::uint32_t cols = std::min(l.trans_weight_0132 ? kchs : ochs, max_channels());
  const std::uint32_t rows = std::min(l.trans_weight_0132 ? ochs : kchs, dim_);
  return {isa::Op::kMvin2,
          format_.move(isa::fields::Mvin2::kFunct, l.weights_dram + dram_offset(dram_position()), local, cols, rows)};
}

void ConvLoadWeights::advance() {
  if (config_) {
    config_ = false;
    return;
  }
  kch_ = floor_add(kch_, loop_.trans_weight_0132 ? max_channels() : dim_, loop_.kchs);
  if (kch_ != 0) return;
  kcol_ = floor_add(kcol_, 1, loop_.kcols);
  if (kcol_ != 0) return;
  krow_ = floor_add(krow_, 1, loop_.krows);
  if (krow_ != 0) return;
  och_ = floor_add(och_, loop_.trans_weight_0132 ? dim_ : max_channels(), loop_.pochs);
  if (och_ == 0) active_ = false;
}

// ---- execute

void ConvExecute::restart() {
  state_ = loop_.trans_input_3120 ? State::kConfig : State::kPreload;
  och_ = krow_ = kcol_ = kch_ = b_ = orow_ = ocol_ = 0;
  new_weights_ = true;
}

bool ConvExecute::passes_over() const {
  if (!loop_.input_dilated || state_ == State::kConfig) return false;
  const std::uint32_t row = krow_ * loop_.kernel_dilation + orow_ - loop_.upad;
  const std::uint32_t col = kcol_ * loop_.kernel_dilation + ocol_ - loop_.lpad;
  return ((row | col) & 1u) != 0;
}

std::uint32_t ConvExecute::output_pixels() const {
  if (loop_.trans_input_3120) return std::min(loop_.batches - b_, dim_);
  return loop_.undilated(std::min(loop_.ocols - ocol_, dim_ << (loop_.input_dilated ? 1 : 0)));
}

std::uint64_t ConvExecute::input_row() const {
  const LoopConvLoop& l = loop_;
  const auto undilate = [&](std::uint64_t x) { return l.input_dilated ? (x + 1) >> 1 : x; };
  const std::uint64_t irow = undilate(std::uint64_t{orow_} * l.stride + std::uint64_t{krow_} * l.kernel_dilation);
  const std::uint64_t icol = undilate(std::uint64_t{ocol_} * l.stride + std::uint64_t{kcol_} * l.kernel_dilation);
  const std::uint64_t group = (l.trans_input_3120 ? b_ : kch_) / dim_;
  const std::uint64_t image = l.trans_input_3120 ? kch_ : b_;
  return start_row_ + group * l.input_spad_stride + image * image_rows() + (irow >> row_shift()) * (l.icols >> row_shift()) +
         (icol >> row_shift());
}

std::uint64_t ConvExecute::weights_row() const {
  const LoopConvLoop& l = loop_;
  const std::uint64_t krow = l.wrot180 ? (l.krows - krow_ - 1) & 0xFFFFu : krow_;
  const std::uint64_t kcol = l.wrot180 ? (l.kcols - kcol_ - 1) & 0xFFFFu : kcol_;
  const std::uint64_t kernel_position = krow * l.kcols + kcol;
  const std::uint64_t kernel_size = std::uint64_t{l.krows} * l.kcols;
  const std::uint64_t row = l.trans_weight_0132 ? kch_ / dim_ * kernel_size * l.pochs + kernel_position * l.pochs + och_
                                                : och_ / dim_ * kernel_size * l.kchs + kernel_position * l.kchs + kch_;
  return weights_end_ - l.weight_rows + row;
}

GeneratedCommand ConvExecute::config() const {
  using namespace isa::fields;
  GeneratedCommand result{isa::Op::kConfigEx, isa::make(isa::Op::kConfigEx)};
  ConfigEx::a_stride.set(result.instruction, std::uint64_t{loop_.irows} * loop_.icols);
  ConfigEx::set_only_strides.set(result.instruction, 1);
  ConfigEx::c_stride.set(result.instruction, std::uint64_t{loop_.orows} * loop_.ocols);
  return result;
}

GeneratedCommand ConvExecute::command() const {
  if (state_ == State::kConfig) return config();
  const std::uint32_t pixels = std::min(loop_.kcols - kcol_, loop_.max_pixels_per_row);
  const std::uint32_t i = output_pixels();
  const std::uint32_t j = std::min(loop_.pochs - och_, dim_);
  const std::uint32_t k = pixels * std::min(loop_.kchs - kch_, dim_);
  if (state_ == State::kPreload) {
    const std::uint32_t weights = new_weights_ ? format_.scratchpad(weights_row()) : format_.garbage();
    const std::uint32_t out = format_.accumulator(output_start_ + output_row(och_, b_, orow_, ocol_), true, false);
    return {isa::Op::kPreload, format_.preload(weights, j, k, out, j, i)};
  }
  return {new_weights_ ? isa::Op::kComputeFlip : isa::Op::kComputeStay,
          format_.compute(new_weights_, format_.scratchpad(input_row()), k, i, j, i)};
}

void ConvExecute::advance() {
  if (state_ == State::kConfig || state_ == State::kPreload) {
    state_ = state_ == State::kConfig ? State::kPreload : State::kCompute;
    return;
  }
  const bool skipped = passes_over();
  if (!skipped) new_weights_ = false;
  state_ = State::kPreload;
  const std::uint32_t column_step = skipped || loop_.trans_input_3120 ? 1 : dim_ << (loop_.input_dilated ? 1 : 0);
  ocol_ = floor_add(ocol_, column_step, loop_.ocols);
  if (ocol_ != 0) return;
  orow_ = floor_add(orow_, 1, loop_.orows);
  if (orow_ != 0) return;
  b_ = floor_add(b_, loop_.trans_input_3120 ? dim_ : 1, loop_.batches);
  if (b_ != 0) return;
  new_weights_ = true;
  kch_ = floor_add(kch_, dim_, loop_.kchs);
  if (kch_ != 0) return;
  kcol_ = floor_add(kcol_, loop_.max_pixels_per_row, loop_.kcols);
  if (kcol_ != 0) return;
  krow_ = floor_add(krow_, 1, loop_.krows);
  if (krow_ != 0) return;
  och_ = floor_add(och_, dim_, loop_.pochs);
  if (och_ == 0) active_ = false;
}

// ---- store

void ConvStore::restart() {
  state_ = loop_.no_pool ? State::kStore : State::kPoolConfig;
  b_ = orow_ = ocol_ = och_ = 0;
}

GeneratedCommand ConvStore::config(bool pooling) const {
  using namespace isa::fields;
  GeneratedCommand result{isa::Op::kConfigSt, isa::make(isa::Op::kConfigSt)};
  isa::Instruction& i = result.instruction;
  if (pooling) {
    ConfigSt::ocols.set(i, loop_.ocols);
    ConfigSt::orows.set(i, loop_.orows);
    ConfigSt::pocols.set(i, loop_.pocols);
    ConfigSt::porows.set(i, loop_.porows);
    ConfigSt::pool_out_dim.set(i, loop_.pool_out_col_dim);
    ConfigSt::lpad.set(i, loop_.plpad);
    ConfigSt::upad.set(i, loop_.pupad);
    ConfigSt::pool_size.set(i, loop_.pool_size);
    ConfigSt::pool_stride.set(i, loop_.pool_stride);
  }
  ConfigSt::activation.set(i, loop_.activation);
  ConfigSt::acc_scale.set(i, kKeepScale);
  ConfigSt::stride.set(i, loop_.out_stride);
  return result;
}

GeneratedCommand ConvStore::pooled_store() const {
  const std::uint64_t pixel = std::uint64_t{b_} * loop_.pool_out_col_dim * loop_.pool_out_row_dim;
  const std::uint64_t dram = loop_.output_dram + pixel * loop_.out_stride + och_;
  const std::uint32_t local = format_.accumulator(start_row_ + output_row(och_, b_, 0, 0), false, false);
  return {isa::Op::kMvout, format_.move(isa::fields::Mvout::kFunct, dram, local, std::min(loop_.pochs - och_, dim_), 0)};
}

GeneratedCommand ConvStore::command() const {
  switch (state_) {
    case State::kPoolConfig:
      return config(true);
    case State::kPoolEnd:
      return config(false);
    case State::kPool:
      return pooled_store();
    case State::kStore:
      break;
  }
  const LoopConvLoop& l = loop_;
  const std::uint64_t rows = l.out_row_dim;
  const std::uint64_t cols = l.out_col_dim;
  const std::uint64_t position =
      l.trans_output_1203
          ? (orow_ * cols * l.batch_size + std::uint64_t{ocol_} * l.batch_size + b_) * l.out_channels + och_
          : (b_ * rows * cols + orow_ * cols + ocol_) * l.out_stride + och_;
  const std::uint32_t local = format_.accumulator(start_row_ + output_row(och_, b_, orow_, ocol_), false, false);
  return {isa::Op::kMvout, format_.move(isa::fields::Mvout::kFunct, l.output_dram + dram_offset(position), local,
                                        std::min(l.pochs - och_, dim_), std::min(l.ocols - ocol_, dim_))};
}

void ConvStore::advance() {
  switch (state_) {
    case State::kPoolConfig:
      state_ = State::kPool;
      return;
    case State::kPoolEnd:
      active_ = false;
      return;
    case State::kPool:
      och_ = floor_add(och_, dim_, loop_.pochs);
      if (och_ != 0) return;
      b_ = floor_add(b_, 1, loop_.batches);
      if (b_ == 0) state_ = State::kPoolEnd;
      return;
    case State::kStore:
      break;
  }
  och_ = floor_add(och_, dim_, loop_.pochs);
  if (och_ != 0) return;
  ocol_ = floor_add(ocol_, dim_, loop_.ocols);
  if (ocol_ != 0) return;
  orow_ = floor_add(orow_, 1, loop_.orows);
  if (orow_ != 0) return;
  b_ = floor_add(b_, 1, loop_.batches);
  if (b_ == 0) active_ = false;
}

}  // namespace systole::hw
