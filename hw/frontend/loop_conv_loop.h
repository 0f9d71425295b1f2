#pragma once
// One convolution as the LOOP_CONV_WS configuration words describe it, and the sizes that follow from them (LoopConv.scala LoopConvState).
#include <cstdint>

namespace systole::hw {

// Sizes in elements of their dimension; rows and columns of images. 16-bit registers.
struct LoopConvLoop {
  // the whole layer
  std::uint32_t batch_size = 0, in_channels = 0, out_channels = 0;
  std::uint32_t in_row_dim = 0, in_col_dim = 0;
  std::uint32_t out_row_dim = 0, out_col_dim = 0;
  std::uint32_t pool_out_row_dim = 0, pool_out_col_dim = 0;
  std::uint32_t stride = 0, kernel_dim = 0, kernel_dilation = 0;
  std::uint32_t pool_size = 0, pool_stride = 0;
  std::uint32_t in_stride = 0, weight_stride = 0, out_stride = 0;   // of one pixel in memory, elements
  // the part this loop computes
  std::uint32_t batches = 0, porows = 0, pocols = 0, pochs = 0;
  std::uint32_t krows = 0, kcols = 0, kchs = 0;
  std::uint32_t lpad = 0, rpad = 0, upad = 0, dpad = 0;
  std::uint32_t plpad = 0, pupad = 0;
  std::uint32_t orows = 0, ocols = 0;
  std::uint64_t bias_dram = 0, weights_dram = 0, input_dram = 0, output_dram = 0;
  bool no_bias = false, wrot180 = false, no_pool = false, downsample = false, input_dilated = false, depthwise = false;
  bool trans_output_1203 = false, trans_weight_1203 = false, trans_weight_0132 = false, trans_input_3120 = false;
  std::uint32_t activation = 0, max_pixels_per_row = 1;
  std::uint32_t a_spad_id = 0, b_spad_id = 0;
  std::uint32_t a_start = 0, b_end = 0;   // local rows: properties of the slot, set at reset
  std::uint32_t sequence = 0;             // of the LOOP_CONV_WS command

  // Follows from the above, in registers of 16 bits.
  std::uint32_t irows = 0, icols = 0;                    // of the input, padding included
  std::uint32_t irows_unpadded = 0, icols_unpadded = 0;
  std::uint32_t bias_spad_stride = 0, input_spad_stride = 0, weight_spad_stride = 0;   // local rows per group of `dim` channels
  std::uint64_t weight_rows = 0;                         // local rows of all weights

  // Sizes under input dilation: every other row and column exists.
  [[nodiscard]] std::uint32_t undilated(std::int64_t size) const {
    return static_cast<std::uint32_t>(input_dilated ? (size + 1) >> 1 : size) & 0xFFFFu;
  }
  void derive(std::uint32_t dim);
};

}  // namespace systole::hw
