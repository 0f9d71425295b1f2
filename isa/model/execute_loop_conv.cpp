// LOOP_CONV_WS: one tile of a convolution, unrolled into the instructions its loop units emit (LoopConv.scala).
#include <fmt/format.h>

#include <algorithm>

#include "isa/model/model.h"
#include "isa/model/unroll.h"

namespace systole::isa {
namespace {

constexpr std::uint32_t kAccumulator = LocalAddress::kAccumulatorBit;
constexpr std::uint32_t kOne = 0x3F800000;  // 1.0 as an IEEE single
constexpr std::uint32_t kKeepScale = 0xFFFFFFFF;

std::uint32_t ceil_div(std::uint32_t a, std::uint32_t b) { return (a + b - 1) / b; }

Instruction load_config(std::uint32_t state, std::uint32_t block_stride, std::uint64_t stride,
                        std::uint32_t pixel_repeats) {
  namespace f = fields::ConfigLd;
  Instruction result = make(Op::kConfigLd);
  f::state.set(result, state);
  f::block_stride.set(result, block_stride);
  f::stride.set(result, stride);
  f::pixel_repeats.set(result, pixel_repeats);
  f::scale.set(result, kOne);
  return result;
}

// What a convolution's sizes imply. Rows and columns of the input include its padding unless they say so.
struct Derived {
  std::int64_t input_rows, input_cols;
  std::int64_t unpadded_rows, unpadded_cols;
  std::uint32_t stored_rows, stored_cols;  // in the scratchpad (halved by `downsample`)
  std::uint32_t input_stride;              // local rows of dim input channels
  std::uint32_t weight_stride;             // local rows of dim output channels
  std::uint32_t bias_stride;               // accumulator rows of dim output channels

  Derived(const model::ConvSlot& s, int downsample) {
    const auto dilated = [&](std::uint32_t n) {
      return std::int64_t{n} + (std::int64_t{s.kernel_dilation} - 1) * (std::int64_t{n} - 1);
    };
    input_rows = std::int64_t{s.orows} * s.stride + dilated(s.krows) - 1;
    input_cols = std::int64_t{s.ocols} * s.stride + dilated(s.kcols) - 1;
    unpadded_rows = input_rows - s.upad - s.dpad;
    unpadded_cols = input_cols - s.lpad - s.rpad;
    stored_rows = static_cast<std::uint32_t>(input_rows >> downsample);
    stored_cols = static_cast<std::uint32_t>(input_cols >> downsample);
    input_stride = s.batches * stored_rows * stored_cols;
    weight_stride = s.krows * s.kcols * s.kchs;
    bias_stride = s.batches * s.orows * s.ocols;
  }
};

}  // namespace

void Model::config_conv(Op op, const Instruction& instruction) {
  model::ConvSlot& slot = state_.conv.slots[static_cast<std::size_t>(state_.conv.current)];
  const auto get = [&](const Field& field) { return static_cast<std::uint32_t>(field.get(instruction)); };
  if (op == Op::kLoopConv1) {
    namespace f = fields::LoopConv1;
    slot.batch_size = get(f::batch_size);
    slot.in_rows = slot.in_cols = get(f::in_dim);
    slot.in_channels = get(f::in_channels);
    slot.out_channels = get(f::out_channels);
    slot.out_rows = slot.out_cols = get(f::out_dim);
    slot.pool_out_rows = slot.pool_out_cols = get(f::pool_out_dim);
    slot.stride = get(f::stride);
  } else if (op == Op::kLoopConv1Rect) {
    namespace f = fields::LoopConv1Rect;
    slot.batch_size = get(f::batch_size);
    slot.in_rows = get(f::in_row_dim);
    slot.in_channels = get(f::in_channels);
    slot.out_channels = get(f::out_channels);
    slot.out_rows = get(f::out_row_dim);
    slot.pool_out_rows = get(f::pool_out_row_dim);
    slot.out_cols = get(f::out_col_dim);
    slot.stride = get(f::stride);
  } else if (op == Op::kLoopConv2 || op == Op::kLoopConv2Rect) {
    namespace f = fields::LoopConv2;
    namespace rect = fields::LoopConv2Rect;
    const bool square = op == Op::kLoopConv2;
    slot.kernel_dim = get(f::kernel_dim);
    slot.pool_size = get(square ? f::pool_size : rect::pool_size);
    slot.pool_stride = get(square ? f::pool_stride : rect::pool_stride);
    if (!square) slot.pool_out_cols = get(rect::pool_out_col_dim);
    slot.pochs = get(f::pochs);
    slot.pocols = get(f::pocols);
    slot.porows = get(f::porows);
    slot.batches = get(f::batches);
  } else if (op == Op::kLoopConv3 || op == Op::kLoopConv3Rect) {
    namespace f = fields::LoopConv3;
    namespace rect = fields::LoopConv3Rect;
    const bool square = op == Op::kLoopConv3;
    slot.lpad = get(f::lpad);
    slot.kchs = get(f::kchs);
    slot.kcols = get(f::kcols);
    slot.krows = get(f::krows);
    slot.upad = get(f::upad);
    slot.rpad = get(f::rpad);
    slot.dpad = get(square ? f::dpad : rect::dpad);
    slot.plpad = get(square ? f::plpad : rect::plpad);
    if (!square) slot.in_cols = get(rect::in_col_dim);
  } else if (op == Op::kLoopConv4) {
    namespace f = fields::LoopConv4;
    slot.kernel_dilation = get(f::kernel_dilation);
    slot.pupad = get(f::pupad);
    slot.orows = get(f::orows);
    slot.ocols = get(f::ocols);
    slot.out_stride = get(f::out_stride);
    slot.weight_stride = get(f::weight_stride);
    slot.in_stride = get(f::in_stride);
  } else if (op == Op::kLoopConv5) {
    slot.weights = fields::LoopConv5::weights.get(instruction);
    slot.output = fields::LoopConv5::output.get(instruction);
  } else if (op == Op::kLoopConv6) {
    slot.bias = fields::LoopConv6::bias.get(instruction);
    slot.input = fields::LoopConv6::input.get(instruction);
  }
}

void Model::loop_conv(const Instruction& loop) {
  namespace f = fields::LoopConv;
  const int slot_index = state_.conv.current;
  const model::ConvSlot& s = state_.conv.slots[static_cast<std::size_t>(slot_index)];
  state_.conv.current ^= 1;
  const auto flag = [&](const Field& field) { return field.get(loop) != 0; };
  if (flag(f::wrot180) || flag(f::trans_output_1203) || flag(f::trans_weight_1203) || flag(f::trans_weight_0132) ||
      flag(f::trans_input_3120) || flag(f::input_dilated)) {
    fail("convolutions for training are not part of this machine");
  }
  for (const std::uint32_t size :
       {s.batches, s.orows, s.ocols, s.pochs, s.krows, s.kcols, s.kchs, s.stride, s.kernel_dilation}) {
    if (size == 0) fail("convolution with an empty dimension (each of the two loop slots keeps its own configuration)");
  }
  const int downsample = flag(f::downsample) ? 1 : 0;
  const Derived d(s, downsample);
  if (d.unpadded_rows <= 0 || d.unpadded_cols <= 0) fail("convolution whose padding covers the whole input");

  const auto dim = static_cast<std::uint32_t>(geometry_.dim);
  const std::uint32_t row_mask = (1u << row_bits_) - 1;
  const auto scratchpad_half = static_cast<std::uint32_t>(geometry_.scratchpad_rows() / 2);
  const auto slot_number = static_cast<std::uint32_t>(slot_index);
  const auto a_id = static_cast<std::uint32_t>(f::a_spad_id.get(loop));
  const auto b_id = static_cast<std::uint32_t>(f::b_spad_id.get(loop));
  const std::uint32_t a_start = (a_id == 0 ? slot_number : a_id - 1) * scratchpad_half;
  const std::uint32_t b_end = (b_id == 0 ? slot_number + 1 : b_id) * scratchpad_half;
  const std::uint32_t b_start = b_end - ceil_div(s.pochs, dim) * d.weight_stride;
  const std::uint32_t c_start =
      static_cast<std::uint32_t>(state_.conv.half) * static_cast<std::uint32_t>(geometry_.accumulator_rows() / 2);
  if (s.output != 0) state_.conv.half ^= 1;
  const auto pixels_per_row = std::max(1u, static_cast<std::uint32_t>(f::max_pixels_per_row.get(loop)));
  in_loop_ = true;
  const auto emit = [&](Op op, const Instruction& instruction) {
    unrolled_ = instruction;
    dispatch(op, instruction);
  };
  const auto accumulator_row_of = [&](std::uint32_t och, std::uint32_t b, std::uint32_t row, std::uint32_t col) {
    return (c_start + (och / dim) * d.bias_stride + (b * s.orows + row) * s.ocols + col) & row_mask;
  };

  if (s.bias != 0) {
    emit(Op::kConfigLd, load_config(2, d.bias_stride, 0, 1));
    const std::uint32_t step = std::min(s.pochs, static_cast<std::uint32_t>(geometry_.max_blocks_full()) * dim);
    for (std::uint32_t b = 0; b < s.batches; ++b) {
      for (std::uint32_t row = 0; row < s.orows; ++row) {
        for (std::uint32_t col = 0; col < s.ocols; col += dim) {
          for (std::uint32_t och = 0; och < s.pochs; och += step) {
            const std::uint64_t from = flag(f::no_bias) ? 0 : model::dram_address(s.bias, std::uint64_t{och} * 4);
            emit(Op::kMvin3, model::move(Op::kMvin3, from, kAccumulator | accumulator_row_of(och, b, row, col),
                                         std::min(step, s.pochs - och), std::min(dim, s.ocols - col)));
          }
        }
      }
    }
  }

  if (s.weights != 0) {
    const bool depthwise = flag(f::depthwise);
    emit(Op::kConfigLd, load_config(1, d.weight_stride, depthwise ? 1 : s.weight_stride, 1));
    const std::uint32_t step = std::min(s.pochs, static_cast<std::uint32_t>(geometry_.max_blocks()) * dim);
    for (std::uint32_t och = 0; och < s.pochs; och += step) {
      for (std::uint32_t krow = 0; krow < s.krows; ++krow) {
        for (std::uint32_t kcol = 0; kcol < s.kcols; ++kcol) {
          for (std::uint32_t kch = 0; kch < s.kchs; kch += dim) {
            const std::uint64_t tap = std::uint64_t{krow} * s.kernel_dim + kcol;
            const std::uint64_t from = depthwise ? tap : (tap * s.in_channels + kch) * s.weight_stride + och;
            const std::uint32_t to =
                (b_start + (och / dim) * d.weight_stride + (krow * s.kcols + kcol) * s.kchs + kch) & row_mask;
            emit(Op::kMvin2, model::move(Op::kMvin2, model::dram_address(s.weights, from), to,
                                         std::min(step, s.pochs - och), std::min(dim, s.kchs - kch)));
          }
        }
      }
    }
  }

  if (s.input != 0) {
    emit(Op::kConfigLd, load_config(0, d.input_stride, std::uint64_t{s.in_stride} << downsample, pixels_per_row));
    const std::int64_t tile = geometry_.dim;
    const std::uint32_t step = std::min(s.kchs, static_cast<std::uint32_t>(geometry_.max_blocks()) * dim);
    const std::int64_t last_row = d.unpadded_rows + s.dpad;
    const std::int64_t last_col = d.unpadded_cols + s.rpad;
    for (std::uint32_t b = 0; b < s.batches; ++b) {
      for (std::int64_t row = -std::int64_t{s.upad}; row < last_row; row += std::int64_t{1} << downsample) {
        for (std::int64_t col = -std::int64_t{s.lpad}, width = 0; col < last_col; col += width) {
          // Padding and image never share one load.
          if (col < 0) {
            width = std::min(tile, -col);
          } else if (col >= d.unpadded_cols) {
            width = std::min(tile, last_col - col);
          } else {
            width = std::min(tile << downsample, d.unpadded_cols - col);
          }
          const bool padding = row < 0 || row >= d.unpadded_rows || col < 0 || col >= d.unpadded_cols;
          const auto stored_row = static_cast<std::uint32_t>((row + s.upad) >> downsample);
          const auto stored_col = static_cast<std::uint32_t>((col + s.lpad) >> downsample);
          for (std::uint32_t kch = 0; kch < s.kchs; kch += step) {
            const std::uint64_t pixel = std::uint64_t{b} * s.in_rows * s.in_cols +
                                        static_cast<std::uint64_t>(row) * s.in_cols + static_cast<std::uint64_t>(col);
            const std::uint64_t from = padding ? 0 : model::dram_address(s.input, pixel * s.in_stride + kch);
            const std::uint32_t to = (a_start + (kch / dim) * d.input_stride +
                                      (b * d.stored_rows + stored_row) * d.stored_cols + stored_col) &
                                     row_mask;
            emit(Op::kMvin, model::move(Op::kMvin, from, to, std::min(step, s.kchs - kch),
                                        static_cast<std::uint32_t>(width >> downsample)));
          }
        }
      }
    }
  }

  for (std::uint32_t och = 0; och < s.pochs; och += dim) {
    const std::uint32_t cols = std::min(dim, s.pochs - och);
    for (std::uint32_t krow = 0; krow < s.krows; ++krow) {
      for (std::uint32_t kcol = 0; kcol < s.kcols; kcol += pixels_per_row) {
        const std::uint32_t pixels = std::min(pixels_per_row, s.kcols - kcol);
        for (std::uint32_t kch = 0; kch < s.kchs; kch += dim) {
          const std::uint32_t depth = pixels * std::min(dim, s.kchs - kch);
          const std::uint32_t weights =
              (b_start + (och / dim) * d.weight_stride + (krow * s.kcols + kcol) * s.kchs + kch) & row_mask;
          bool new_weights = true;
          for (std::uint32_t b = 0; b < s.batches; ++b) {
            for (std::uint32_t row = 0; row < s.orows; ++row) {
              const std::uint32_t input_row = (row * s.stride + krow * s.kernel_dilation) >> downsample;
              for (std::uint32_t col = 0; col < s.ocols; col += dim) {
                const std::uint32_t rows = std::min(dim, s.ocols - col);
                const std::uint32_t input_col = (col * s.stride + kcol * s.kernel_dilation) >> downsample;
                const std::uint32_t a = (a_start + (kch / dim) * d.input_stride +
                                         (b * d.stored_rows + input_row) * d.stored_cols + input_col) &
                                        row_mask;
                const std::uint32_t c =
                    kAccumulator | LocalAddress::kAccumulateBit | accumulator_row_of(och, b, row, col);
                emit(Op::kPreload,
                     model::preload(new_weights ? weights : LocalAddress::kGarbage, cols, depth, c, cols, rows));
                emit(new_weights ? Op::kComputeFlip : Op::kComputeStay,
                     model::compute(new_weights, a, depth, rows, cols, rows));
                new_weights = false;
              }
            }
          }
        }
      }
    }
  }

  if (s.output == 0) return;
  if (flag(f::no_pool)) {
    for (std::uint32_t b = 0; b < s.batches; ++b) {
      for (std::uint32_t row = 0; row < s.orows; ++row) {
        for (std::uint32_t col = 0; col < s.ocols; col += dim) {
          for (std::uint32_t och = 0; och < s.pochs; och += dim) {
            const std::uint64_t pixel = (std::uint64_t{b} * s.out_rows + row) * s.out_cols + col;
            emit(Op::kMvout, model::move(Op::kMvout, model::dram_address(s.output, pixel * s.out_stride + och),
                                         kAccumulator | accumulator_row_of(och, b, row, col),
                                         std::min(dim, s.pochs - och), std::min(dim, s.ocols - col)));
          }
        }
      }
    }
    return;
  }
  namespace st = fields::ConfigSt;
  Instruction plain = make(Op::kConfigSt);
  st::activation.set(plain, f::activation.get(loop));
  st::acc_scale.set(plain, kKeepScale);
  st::stride.set(plain, s.out_stride);
  Instruction pooling = plain;
  st::pool_stride.set(pooling, s.pool_stride);
  st::pool_size.set(pooling, s.pool_size);
  st::upad.set(pooling, s.pupad);
  st::lpad.set(pooling, s.plpad);
  st::pool_out_dim.set(pooling, s.pool_out_cols);
  st::porows.set(pooling, s.porows);
  st::pocols.set(pooling, s.pocols);
  st::orows.set(pooling, s.orows);
  st::ocols.set(pooling, s.ocols);
  emit(Op::kConfigSt, pooling);
  for (std::uint32_t b = 0; b < s.batches; ++b) {
    for (std::uint32_t och = 0; och < s.pochs; och += dim) {
      const std::uint64_t to = std::uint64_t{b} * s.pool_out_cols * s.pool_out_rows * s.out_stride + och;
      emit(Op::kMvout, model::move(Op::kMvout, model::dram_address(s.output, to),
                                   kAccumulator | accumulator_row_of(och, b, 0, 0), std::min(dim, s.pochs - och), 0));
    }
  }
  emit(Op::kConfigSt, plain);
}

}  // namespace systole::isa
