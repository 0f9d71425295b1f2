#include "hw/frontend/loop_conv_loop.h"

namespace systole::hw {
namespace {

std::uint32_t register16(std::int64_t value) { return static_cast<std::uint32_t>(value) & 0xFFFFu; }
std::uint32_t groups(std::uint32_t channels, std::uint32_t dim) { return channels / dim + (channels % dim != 0 ? 1 : 0); }

// 32-bit product and sum, as the widths of the RTL's operands give.
std::int64_t dilated_kernel(std::uint32_t size, std::uint32_t dilation) {
  return size + ((dilation - 1) & 0xFFFFu) * ((size - 1) & 0xFFFFu);
}

}  // namespace

void LoopConvLoop::derive(std::uint32_t dim) {
  const std::int64_t rows = std::int64_t{orows} * stride + dilated_kernel(krows, kernel_dilation) - 1;
  const std::int64_t cols = std::int64_t{ocols} * stride + dilated_kernel(kcols, kernel_dilation) - 1;
  irows_unpadded = undilated(rows - upad - dpad);
  icols_unpadded = undilated(cols - lpad - rpad);
  irows = register16(input_dilated ? irows_unpadded + undilated(upad) + undilated(dpad) : rows);
  icols = register16(input_dilated ? icols_unpadded + undilated(lpad) + undilated(rpad) : cols);

  bias_spad_stride = register16(std::int64_t{batches} * orows * ocols);
  const std::int64_t image_rows = std::int64_t{irows >> (downsample ? 1 : 0)} * (icols >> (downsample ? 1 : 0));
  input_spad_stride = register16((trans_input_3120 ? kchs : batches) * image_rows);
  weight_spad_stride = register16(std::int64_t{krows} * kcols * (trans_weight_0132 ? pochs : kchs));
  const std::uint64_t kernel = std::uint64_t{kcols} * krows;
  weight_rows = trans_weight_0132 ? groups(kchs, dim) * kernel * pochs : groups(pochs, dim) * kernel * kchs;
}

}  // namespace systole::hw
