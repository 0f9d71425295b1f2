#include "hw/frontend/loop_conv_words.h"

#include "sim/base/errors.h"

namespace systole::hw {
namespace {

namespace f = isa::fields;

void set(std::uint32_t& target, const isa::Field& field, const isa::Instruction& i) {
  target = static_cast<std::uint32_t>(field.get(i));
}
void set(bool& target, const isa::Field& field, const isa::Instruction& i) { target = field.get(i) != 0; }

void read_word_1(const isa::Instruction& i, LoopConvLoop& l) {
  set(l.batch_size, f::LoopConv1::batch_size, i);
  set(l.in_row_dim, f::LoopConv1::in_dim, i);
  set(l.in_channels, f::LoopConv1::in_channels, i);
  set(l.out_channels, f::LoopConv1::out_channels, i);
  set(l.out_row_dim, f::LoopConv1::out_dim, i);
  set(l.pool_out_row_dim, f::LoopConv1::pool_out_dim, i);
  set(l.stride, f::LoopConv1::stride, i);
  l.in_col_dim = l.in_row_dim;
  l.out_col_dim = l.out_row_dim;
  l.pool_out_col_dim = l.pool_out_row_dim;
}

void read_word_1_rectangular(const isa::Instruction& i, LoopConvLoop& l) {
  set(l.batch_size, f::LoopConv1Rect::batch_size, i);
  set(l.in_row_dim, f::LoopConv1Rect::in_row_dim, i);
  set(l.in_channels, f::LoopConv1Rect::in_channels, i);
  set(l.out_channels, f::LoopConv1Rect::out_channels, i);
  set(l.out_row_dim, f::LoopConv1Rect::out_row_dim, i);
  set(l.pool_out_row_dim, f::LoopConv1Rect::pool_out_row_dim, i);
  set(l.out_col_dim, f::LoopConv1Rect::out_col_dim, i);
  set(l.stride, f::LoopConv1Rect::stride, i);
}

void read_word_2_tile(const isa::Instruction& i, LoopConvLoop& l) {
  set(l.batches, f::LoopConv2::batches, i);
  set(l.porows, f::LoopConv2::porows, i);
  set(l.pocols, f::LoopConv2::pocols, i);
  set(l.pochs, f::LoopConv2::pochs, i);
}

void read_word_2(const isa::Instruction& i, LoopConvLoop& l) {
  set(l.kernel_dim, f::LoopConv2::kernel_dim, i);
  set(l.pool_size, f::LoopConv2::pool_size, i);
  set(l.pool_stride, f::LoopConv2::pool_stride, i);
  read_word_2_tile(i, l);
}

void read_word_2_rectangular(const isa::Instruction& i, LoopConvLoop& l) {
  set(l.kernel_dim, f::LoopConv2Rect::kernel_dim, i);
  set(l.pool_out_col_dim, f::LoopConv2Rect::pool_out_col_dim, i);
  set(l.pool_size, f::LoopConv2Rect::pool_size, i);
  set(l.pool_stride, f::LoopConv2Rect::pool_stride, i);
  read_word_2_tile(i, l);
}

void read_word_3_kernel(const isa::Instruction& i, LoopConvLoop& l) {
  set(l.krows, f::LoopConv3::krows, i);
  set(l.kcols, f::LoopConv3::kcols, i);
  set(l.kchs, f::LoopConv3::kchs, i);
  set(l.lpad, f::LoopConv3::lpad, i);
}

void read_word_3(const isa::Instruction& i, LoopConvLoop& l) {
  read_word_3_kernel(i, l);
  set(l.rpad, f::LoopConv3::rpad, i);
  set(l.upad, f::LoopConv3::upad, i);
  set(l.dpad, f::LoopConv3::dpad, i);
  set(l.plpad, f::LoopConv3::plpad, i);
}

void read_word_3_rectangular(const isa::Instruction& i, LoopConvLoop& l) {
  read_word_3_kernel(i, l);
  set(l.rpad, f::LoopConv3Rect::rpad, i);
  set(l.upad, f::LoopConv3Rect::upad, i);
  set(l.dpad, f::LoopConv3Rect::dpad, i);
  set(l.plpad, f::LoopConv3Rect::plpad, i);
  set(l.in_col_dim, f::LoopConv3Rect::in_col_dim, i);
}

void read_word_4(const isa::Instruction& i, LoopConvLoop& l) {
  set(l.orows, f::LoopConv4::orows, i);
  set(l.pupad, f::LoopConv4::pupad, i);
  set(l.kernel_dilation, f::LoopConv4::kernel_dilation, i);
  set(l.ocols, f::LoopConv4::ocols, i);
  set(l.in_stride, f::LoopConv4::in_stride, i);
  set(l.weight_stride, f::LoopConv4::weight_stride, i);
  set(l.out_stride, f::LoopConv4::out_stride, i);
}

void read_run(const isa::Instruction& i, LoopConvLoop& l) {
  set(l.no_bias, f::LoopConv::no_bias, i);
  set(l.wrot180, f::LoopConv::wrot180, i);
  set(l.trans_output_1203, f::LoopConv::trans_output_1203, i);
  set(l.trans_weight_1203, f::LoopConv::trans_weight_1203, i);
  set(l.trans_weight_0132, f::LoopConv::trans_weight_0132, i);
  set(l.trans_input_3120, f::LoopConv::trans_input_3120, i);
  set(l.depthwise, f::LoopConv::depthwise, i);
  set(l.max_pixels_per_row, f::LoopConv::max_pixels_per_row, i);
  if (l.max_pixels_per_row == 0) l.max_pixels_per_row = 1;   // programs older than the option (LoopConv.scala)
  set(l.a_spad_id, f::LoopConv::a_spad_id, i);
  set(l.b_spad_id, f::LoopConv::b_spad_id, i);
  set(l.no_pool, f::LoopConv::no_pool, i);
  set(l.downsample, f::LoopConv::downsample, i);
  set(l.input_dilated, f::LoopConv::input_dilated, i);
  set(l.activation, f::LoopConv::activation, i);
}

}  // namespace

void read_loop_conv_word(isa::Op op, const isa::Instruction& i, LoopConvLoop& l) {
  if (op == isa::Op::kLoopConv1) return read_word_1(i, l);
  if (op == isa::Op::kLoopConv1Rect) return read_word_1_rectangular(i, l);
  if (op == isa::Op::kLoopConv2) return read_word_2(i, l);
  if (op == isa::Op::kLoopConv2Rect) return read_word_2_rectangular(i, l);
  if (op == isa::Op::kLoopConv3) return read_word_3(i, l);
  if (op == isa::Op::kLoopConv3Rect) return read_word_3_rectangular(i, l);
  if (op == isa::Op::kLoopConv4) return read_word_4(i, l);
  if (op == isa::Op::kLoopConv5) {
    l.weights_dram = f::LoopConv5::weights.get(i);
    l.output_dram = f::LoopConv5::output.get(i);
    return;
  }
  if (op == isa::Op::kLoopConv6) {
    l.bias_dram = f::LoopConv6::bias.get(i);
    l.input_dram = f::LoopConv6::input.get(i);
    return;
  }
  SYSTOLE_CHECK(op == isa::Op::kLoopConv);
  read_run(i, l);
}

}  // namespace systole::hw
