#include "kernels/builder.h"

#include <cstring>

#include "isa/instruction.h"
#include "sim/base/errors.h"

namespace systole::kernels {
namespace {

namespace f = isa::fields;
using isa::Activation;
using isa::Instruction;
using isa::LocalAddress;
using isa::Op;

// Extension registers behind config_norm's ext_select.
enum : std::uint32_t { kPreShift = 1, kAffineRow = 2, kRowScaleBase = 3, kFlags = 4 };
constexpr std::uint32_t kFlagWideVariance = 1;

bool uses_exp(Activation a) { return a == Activation::kSoftmax || a == Activation::kExp; }
bool uses_constants(Activation a) { return a == Activation::kIgelu || uses_exp(a); }

std::uint64_t bits32(std::int32_t value) { return static_cast<std::uint32_t>(value); }

}  // namespace

std::uint32_t scale_bits(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  SYSTOLE_CHECK(bits != 0xFFFFFFFFu);
  return bits;
}

Activation loop_store_sequence(Activation activation) {
  switch (activation) {
    case isa::Activation::kSoftmax:
    case isa::Activation::kExp:
      return isa::Activation::kSoftmax;
    case isa::Activation::kLayerNorm:
    case isa::Activation::kLayerNormAffine:
      return isa::Activation::kLayerNorm;
    case isa::Activation::kNone:
    case isa::Activation::kRowScale:
      return isa::Activation::kNone;
    case isa::Activation::kRelu:
    case isa::Activation::kIgelu:
      return activation;
  }
  SYSTOLE_CHECK(false);
  return activation;
}

void Builder::command(const Instruction& instruction) {
  program_.command(instruction);
  anything_since_fence_ = true;
}

std::optional<TilingChoice> Builder::tiling(const TilingRequest& request) {
  for (const auto& [known, choice] : tilings_) {
    if (known == request) return choice;
  }
  tilings_.emplace_back(request, target_.tiler == Tiler::kGemmini ? gemmini_choice(target_, request) : find_tiling(target_, request));
  return tilings_.back().second;
}

TilingChoice Builder::product_tiling(const TilingRequest& request) {
  const std::optional<TilingChoice> choice = tiling(request);
  return choice ? *choice : search_tiling(target_, request);  // which says why there is none
}

void Builder::execute_config(const ExecuteConfig& config) {
  if (execute_ && *execute_ == config) return;
  // A configuration right behind an operation of few rows can overtake it (ExecuteController.scala: the flush takes the
  // propagate bit of the next operation), so the array is empty first.
  if (execute_since_fence_) fence();
  Instruction i = isa::make(Op::kConfigEx);
  f::ConfigEx::dataflow.set(i, config.weight_stationary ? 1 : 0);
  f::ConfigEx::a_transpose.set(i, config.transpose_a ? 1 : 0);
  f::ConfigEx::b_transpose.set(i, config.transpose_b ? 1 : 0);
  f::ConfigEx::a_stride.set(i, 1);
  f::ConfigEx::acc_scale.set(i, scale_bits(1.0f));
  f::ConfigEx::c_stride.set(i, 1);
  command(i);
  execute_ = config;
}

void Builder::load_config(LoadState state, const LoadConfig& config) {
  std::optional<LoadConfig>& current = load_[static_cast<std::size_t>(state)];
  if (current && *current == config) return;
  Instruction i = isa::make(Op::kConfigLd);
  f::ConfigLd::state.set(i, static_cast<std::uint64_t>(state));
  f::ConfigLd::shrink.set(i, config.shrink ? 1 : 0);
  f::ConfigLd::pixel_repeats.set(i, 1);
  f::ConfigLd::block_stride.set(i, dim());
  f::ConfigLd::scale.set(i, scale_bits(config.scale));
  f::ConfigLd::stride.set(i, config.stride);
  command(i);
  current = config;
}

void Builder::norm_config(const NonlinearConstants& constants, bool activation_msb) {
  Instruction i = isa::make(Op::kConfigNorm);
  f::ConfigNorm::stats_id.set(i, static_cast<std::uint64_t>(stats_id_.value_or(0)));
  f::ConfigNorm::activation_msb.set(i, activation_msb ? 1 : 0);
  f::ConfigNorm::qb.set(i, bits32(constants.qb));
  f::ConfigNorm::qc.set(i, bits32(constants.qc));
  f::ConfigNorm::q_const.set(i, bits32(constants.qln2));
  command(i);
  stats_id_ = stats_id_.value_or(0);
}

void Builder::store_config(const StoreConfig& config) {
  const bool msb = static_cast<int>(config.activation) >= 4;
  const bool new_activation = !activation_ || *activation_ != config.activation;
  const bool new_store = store_stride_ != config.stride || store_scale_ != config.scale;
  if (new_activation || new_store) {
    Instruction i = isa::make(Op::kConfigSt);
    f::ConfigSt::activation.set(i, static_cast<std::uint64_t>(config.activation) & 3u);
    f::ConfigSt::stride.set(i, config.stride);
    f::ConfigSt::acc_scale.set(i, scale_bits(config.scale));
    command(i);
    store_stride_ = config.stride;
    store_scale_ = config.scale;
    activation_ = config.activation;
  }
  const bool new_constants = uses_constants(config.activation) && (!constants_ || !(*constants_ == config.constants));
  // config_st cleared the third activation bit, config_norm sets it (StoreController.scala).
  if (new_constants || ((new_activation || new_store) && msb)) {
    const NonlinearConstants constants =
        uses_constants(config.activation) ? config.constants : constants_.value_or(NonlinearConstants{});
    norm_config(constants, msb);
    if (uses_exp(config.activation) && (!constants_ || constants_->qln2_inv != constants.qln2_inv)) {
      Instruction i = isa::make(Op::kConfigNorm);
      f::ConfigNorm::stats_id.set(i, static_cast<std::uint64_t>(*stats_id_));
      f::ConfigNorm::activation_msb.set(i, 1);
      f::ConfigNorm::q_const_type.set(i, 1);
      f::ConfigNorm::qb.set(i, bits32(constants.qb));
      f::ConfigNorm::qc.set(i, bits32(constants.qc));
      f::ConfigNorm::q_const.set(i, bits32(constants.qln2_inv));
      command(i);
    }
    constants_ = constants;
  }
  const bool reads_shifted = config.activation != Activation::kNone && config.activation != Activation::kRelu &&
                             config.activation != Activation::kRowScale;
  if (reads_shifted) {
    extension(kPreShift, static_cast<std::uint32_t>(config.pre_shift), pre_shift_);
    extension(kFlags, config.wide_variance ? kFlagWideVariance : 0, flags_);
  }
}

void Builder::extension(std::uint32_t select, std::uint32_t value, std::optional<std::uint32_t>& register_copy) {
  if (register_copy == value) return;
  Instruction i = isa::make(Op::kConfigNorm);
  f::ConfigNorm::ext_select.set(i, select);
  f::ConfigNorm::q_const.set(i, value);
  command(i);
  register_copy = value;
}

void Builder::affine_row(std::uint32_t row) { extension(kAffineRow, row, affine_row_); }

void Builder::row_scale_base(std::uint32_t entry) {
  SYSTOLE_CHECK(entry < static_cast<std::uint32_t>(Target::kRowScales));
  extension(kRowScaleBase, entry, row_scale_base_);
}

void Builder::stats_id(int id) {
  if (stats_id_ == id) return;
  Instruction i = isa::make(Op::kConfigNorm);
  f::ConfigNorm::stats_id.set(i, static_cast<std::uint64_t>(id));
  f::ConfigNorm::set_stats_id_only.set(i, 1);
  command(i);
  stats_id_ = id;
}

void Builder::mvin(LoadState state, std::uint64_t dram, LocalAddress local, std::uint64_t cols, std::uint64_t rows) {
  SYSTOLE_CHECK(rows >= 1 && rows <= dim() && cols >= 1);
  const Op op = state == LoadState::kA ? Op::kMvin : state == LoadState::kB ? Op::kMvin2 : Op::kMvin3;
  Instruction i = isa::make(op);
  // The three instructions share their fields.
  f::Mvin::dram.set(i, dram);
  f::Mvin::local.set(i, local.bits());
  f::Mvin::cols.set(i, cols);
  f::Mvin::rows.set(i, rows);
  command(i);
}

void Builder::mvout(std::uint64_t dram, LocalAddress local, std::uint64_t cols, std::uint64_t rows) {
  SYSTOLE_CHECK(rows >= 1 && rows <= dim() && cols >= 1);
  Instruction i = isa::make(Op::kMvout);
  f::Mvout::dram.set(i, dram);
  f::Mvout::local.set(i, local.bits());
  f::Mvout::cols.set(i, cols);
  f::Mvout::rows.set(i, rows);
  command(i);
}

void Builder::preload(LocalAddress b, std::uint64_t b_cols, std::uint64_t b_rows, LocalAddress c, std::uint64_t c_cols,
                      std::uint64_t c_rows) {
  Instruction i = isa::make(Op::kPreload);
  f::Preload::local.set(i, b.bits());
  f::Preload::cols.set(i, b_cols);
  f::Preload::rows.set(i, b_rows);
  f::Preload::out_local.set(i, c.bits());
  f::Preload::out_cols.set(i, c_cols);
  f::Preload::out_rows.set(i, c_rows);
  command(i);
  execute_since_fence_ = true;
}

void Builder::compute(bool flip, LocalAddress a, std::uint64_t a_cols, std::uint64_t a_rows) {
  Instruction i = isa::make(flip ? Op::kComputeFlip : Op::kComputeStay);
  f::ComputeFlip::a_local.set(i, a.bits());
  f::ComputeFlip::a_cols.set(i, a_cols);
  f::ComputeFlip::a_rows.set(i, a_rows);
  f::ComputeFlip::b_local.set(i, LocalAddress::kGarbage);
  f::ComputeFlip::b_cols.set(i, dim());
  f::ComputeFlip::b_rows.set(i, dim());
  command(i);
  execute_since_fence_ = true;
}

void Builder::loop_operands(const LoopWs& loop) {
  SYSTOLE_CHECK(loop.pad_i < dim() && loop.pad_j < dim() && loop.pad_k < dim());
  SYSTOLE_CHECK(loop_accumulator_row() + loop.i * loop.j * dim() <= target_.accumulator_rows);
  Instruction bounds = isa::make(Op::kLoopWsBounds);
  f::LoopWsBounds::pad_i.set(bounds, loop.pad_i);
  f::LoopWsBounds::pad_j.set(bounds, loop.pad_j);
  f::LoopWsBounds::pad_k.set(bounds, loop.pad_k);
  f::LoopWsBounds::max_i.set(bounds, loop.i);
  f::LoopWsBounds::max_j.set(bounds, loop.j);
  f::LoopWsBounds::max_k.set(bounds, loop.k);
  command(bounds);
  Instruction ab = isa::make(Op::kLoopWsAddrsAb);
  f::LoopWsAddrsAb::a.set(ab, loop.a);
  f::LoopWsAddrsAb::b.set(ab, loop.b);
  command(ab);
  Instruction dc = isa::make(Op::kLoopWsAddrsDc);
  f::LoopWsAddrsDc::d.set(dc, loop.d);
  f::LoopWsAddrsDc::c.set(dc, loop.c);
  command(dc);
  Instruction strides_ab = isa::make(Op::kLoopWsStridesAb);
  f::LoopWsStridesAb::a.set(strides_ab, loop.stride_a);
  f::LoopWsStridesAb::b.set(strides_ab, loop.stride_b);
  command(strides_ab);
  Instruction strides_dc = isa::make(Op::kLoopWsStridesDc);
  f::LoopWsStridesDc::d.set(strides_dc, loop.stride_d);
  f::LoopWsStridesDc::c.set(strides_dc, loop.stride_c);
  command(strides_dc);
}

void Builder::loop_ws(const LoopWs& loop) {
  SYSTOLE_CHECK(loop.i >= 1 && loop.j >= 1 && loop.k >= 1);
  loop_operands(loop);
  Instruction run = isa::make(Op::kLoopWs);
  f::LoopWs::ex_accumulate.set(run, loop.accumulate ? 1 : 0);
  f::LoopWs::full_c.set(run, loop.full_c ? 1 : 0);
  f::LoopWs::low_d.set(run, loop.low_d ? 1 : 0);
  f::LoopWs::activation.set(run, static_cast<std::uint64_t>(loop.activation));
  f::LoopWs::a_spad_id.set(run, static_cast<std::uint64_t>(loop.a_spad_id));
  f::LoopWs::b_spad_id.set(run, static_cast<std::uint64_t>(loop.b_spad_id));
  SYSTOLE_CHECK(loop.row_group + loop.i <= LocalAddress::kRowGroups || loop.row_group == 0);
  f::LoopWs::row_group.set(run, loop.row_group);
  f::LoopWs::a_transpose.set(run, loop.transpose_a ? 1 : 0);
  f::LoopWs::b_transpose.set(run, loop.transpose_b ? 1 : 0);
  command(run);
  execute_since_fence_ = true;
  operand_resident_ = operand_resident_ || loop.a_spad_id != 0 || loop.b_spad_id != 0;
  if (loop.c != 0) loop_half_ ^= 1;
  // The loop's own three-pass stores take rows in pairs of ids 0 and 1 (LoopMatmul.scala): the last row decides what is left.
  if (loop.c != 0 && (loop.activation == Activation::kLayerNorm || loop.activation == Activation::kSoftmax)) {
    stats_id_ = (dim() - loop.pad_i) % 2 == 0 ? 1 : 0;
  }
}

void Builder::loop_residual_add(const ResidualAddLoop& loop) {
  LoopWs operands;
  operands.i = loop.i, operands.j = loop.j, operands.k = 0;
  operands.pad_i = loop.pad_i, operands.pad_j = loop.pad_j;
  operands.a = loop.a, operands.b = loop.b, operands.c = loop.c;
  operands.stride_a = loop.stride_a, operands.stride_b = loop.stride_b, operands.stride_c = loop.stride_c;
  loop_operands(operands);
  Instruction run = isa::make(Op::kLoopWs);
  f::LoopWs::is_resadd.set(run, 1);
  command(run);
  // The halves turn with every loop that stores, although this one uses its slot's own half (LoopMatmul.scala).
  if (loop.c != 0) loop_half_ ^= 1;
}

void Builder::raw(const Instruction& instruction) {
  command(instruction);
  execute_.reset();
  load_.fill(std::nullopt);
  store_stride_.reset();
  store_scale_.reset();
  activation_.reset();
  constants_.reset();
  stats_id_.reset();
  pre_shift_.reset();
  affine_row_.reset();
  row_scale_base_.reset();
  flags_.reset();
  execute_since_fence_ = true;
}

void Builder::host(const isa::HostOperation& operation) {
  fence();
  program_.host_ops.push_back(isa::encode(operation));
  program_.items.push_back({isa::ItemKind::kHostOp, {}, program_.host_ops.size() - 1});
  anything_since_fence_ = true;  // a run ends with a fence
}

void Builder::flush() { command(isa::make(Op::kFlush)); }

void Builder::fence() {
  if (!anything_since_fence_) return;
  program_.fence();
  anything_since_fence_ = false;
  execute_since_fence_ = false;
  operand_resident_ = false;
}

LocalAddress Builder::scratchpad(std::uint64_t row) const {
  SYSTOLE_CHECK(row < target_.scratchpad_rows);
  return LocalAddress(static_cast<std::uint32_t>(row));
}

LocalAddress Builder::accumulator(std::uint64_t row, bool accumulate, bool full_row, isa::NormCommand command) const {
  SYSTOLE_CHECK(row < target_.accumulator_rows);
  return LocalAddress(LocalAddress::kAccumulatorBit | (accumulate ? LocalAddress::kAccumulateBit : 0) |
                      (full_row ? LocalAddress::kFullRowBit : 0) |
                      (static_cast<std::uint32_t>(command) << LocalAddress::kNormCommandShift) |
                      static_cast<std::uint32_t>(row));
}

}  // namespace systole::kernels
