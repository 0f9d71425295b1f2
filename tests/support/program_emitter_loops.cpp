// Loops: LOOP_WS and LOOP_CONV_WS with everything they need configured.
#include <algorithm>
#include <cstring>

#include "tests/support/program_emitter.h"

namespace systole::test {
namespace {

namespace fields = isa::fields;
using isa::Instruction;
using isa::Op;

constexpr std::uint32_t kOne = 0x3F800000;
constexpr std::uint32_t kLayerNorm = 2;
constexpr std::uint32_t kSoftmax = 4;

Instruction config_load(std::uint32_t state, std::uint64_t stride, std::uint32_t block_stride, bool shrink,
                        std::uint32_t scale = kOne) {
  namespace f = fields::ConfigLd;
  Instruction result = isa::make(Op::kConfigLd);
  f::state.set(result, state);
  f::stride.set(result, stride);
  f::block_stride.set(result, block_stride);
  f::shrink.set(result, shrink ? 1 : 0);
  f::scale.set(result, scale);
  f::pixel_repeats.set(result, 1);
  return result;
}

std::uint32_t bits_of(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

Instruction pair_of(Op op, std::uint64_t rs1, std::uint64_t rs2) {
  Instruction result = isa::make(op);
  result.rs1 = rs1;
  result.rs2 = rs2;
  return result;
}

}  // namespace

// Sizes in tiles; strides in elements.
struct ProgramEmitter::MatmulLoop {
  std::uint32_t i = 1, j = 1, k = 1;
  std::uint32_t pad_i = 0, pad_j = 0, pad_k = 0;
  bool a_transpose = false, b_transpose = false;
  bool full_c = false, low_d = false, repeat_d = false, ex_accumulate = false, residual = false;
  bool has_d = false, has_c = true;
  std::uint32_t activation = 0;        // as the loop knows it: decides the order of the stores
  std::uint32_t store_activation = 0;  // of config_st, when it is one of the extensions' codes
  std::uint32_t a_id = 0, b_id = 0;
  std::uint32_t row_group = 0;  // extension E4
  float scale = 1;
  float a_scale = 1, b_scale = 1;  // residual addition only
};

ProgramEmitter::MatmulLoop ProgramEmitter::pick_loop(Random& random, std::uint32_t max_j) {
  const auto half = static_cast<std::uint32_t>(geometry_.scratchpad_rows() / 2) / dim_;
  const auto results = static_cast<std::uint32_t>(geometry_.accumulator_rows() / 2) / dim_;
  // Matrices of a large array must fit into the input areas.
  const std::uint32_t most = dim_ > 32 ? 1 : 3;
  if (dim_ > 32) max_j = std::min(max_j, most);
  MatmulLoop loop;
  loop.j = random.count(1, std::min(max_j, results));
  loop.i = random.count(1, std::min(most, results / loop.j));
  loop.k = random.count(1, std::max(1u, std::min(most, half / (loop.i + loop.j))));
  const auto pad = [&] { return random.chance(50) ? 0 : random.count(0, dim_ - 1); };
  loop.pad_i = pad();
  loop.pad_j = pad();
  loop.pad_k = pad();
  const std::int64_t transpose = random.range(0, 4);  // there is one transposer
  loop.a_transpose = transpose == 0;
  loop.b_transpose = transpose == 1;
  loop.scale = pick_scale(random);
  return loop;
}

void ProgramEmitter::emit_loop(Random& random, const MatmulLoop& loop) {
  const auto slack = [&] { return random.pick({0u, 0u, 3u, 16u}); };
  const std::uint32_t rows = loop.i * dim_;
  const std::uint32_t cols = loop.j * dim_;
  const std::uint32_t depth = loop.residual ? cols : loop.k * dim_;
  const std::uint32_t a_rows = loop.a_transpose ? depth : rows;
  const std::uint32_t a_stride = (loop.a_transpose ? rows : depth) + slack();
  const std::uint32_t b_rows = loop.residual ? rows : (loop.b_transpose ? cols : depth);
  const std::uint32_t b_stride = (loop.b_transpose && !loop.residual ? depth : cols) + slack();
  const std::uint32_t d_stride = loop.repeat_d ? 0 : cols + slack();
  const std::uint32_t c_stride = cols + slack();
  const std::uint32_t d_bytes = loop.low_d ? 1 : 4;
  const std::uint32_t c_bytes = loop.full_c ? 4 : 1;

  emit(config_load(0, a_stride, dim_, loop.residual, bits_of(loop.a_scale)));
  emit(config_load(1, b_stride, dim_, loop.residual, bits_of(loop.b_scale)));
  if (loop.has_d) emit(config_load(2, std::uint64_t{d_stride} * d_bytes, dim_, loop.low_d));
  if (loop.has_c) {
    Instruction config = isa::make(Op::kConfigSt);
    fields::ConfigSt::stride.set(config, c_stride * c_bytes);
    const std::uint32_t activation = loop.store_activation != 0 ? loop.store_activation : loop.activation;
    fields::ConfigSt::activation.set(config, activation & 3);
    fields::ConfigSt::acc_scale.set(config, bits_of(loop.scale));
    emit(config);
    constexpr std::uint32_t kIgelu = 3;
    if (activation >= kSoftmax || activation == kIgelu) configure_norm_constants(random, activation >= kSoftmax);
  }
  const std::uint64_t a = pick_input(random, std::uint64_t{a_stride} * a_rows, false);
  const std::uint64_t b = pick_input(random, std::uint64_t{b_stride} * b_rows, false);
  const std::uint64_t d =
      loop.has_d ? pick_input(random, (std::uint64_t{d_stride} * rows + cols) * d_bytes, !loop.low_d) : 0;
  const std::uint64_t c = loop.has_c ? new_output(random, std::uint64_t{c_stride} * rows * c_bytes) : 0;

  Instruction bounds = isa::make(Op::kLoopWsBounds);
  {
    namespace f = fields::LoopWsBounds;
    f::max_i.set(bounds, loop.i);
    f::max_j.set(bounds, loop.j);
    f::max_k.set(bounds, loop.residual ? 0 : loop.k);
    f::pad_i.set(bounds, loop.pad_i);
    f::pad_j.set(bounds, loop.pad_j);
    f::pad_k.set(bounds, loop.residual ? 0 : loop.pad_k);
  }
  emit(bounds);
  emit(pair_of(Op::kLoopWsAddrsAb, a, b));
  emit(pair_of(Op::kLoopWsAddrsDc, d, c));
  emit(pair_of(Op::kLoopWsStridesAb, a_stride, b_stride));
  emit(pair_of(Op::kLoopWsStridesDc, d_stride, c_stride));
  Instruction run = isa::make(Op::kLoopWs);
  namespace f = fields::LoopWs;
  f::ex_accumulate.set(run, loop.ex_accumulate ? 1 : 0);
  f::full_c.set(run, loop.full_c ? 1 : 0);
  f::low_d.set(run, loop.low_d ? 1 : 0);
  f::activation.set(run, loop.activation);
  f::row_group.set(run, loop.row_group);
  f::a_spad_id.set(run, loop.a_id);
  f::b_spad_id.set(run, loop.b_id);
  f::a_transpose.set(run, loop.a_transpose ? 1 : 0);
  f::b_transpose.set(run, loop.b_transpose ? 1 : 0);
  f::is_resadd.set(run, loop.residual ? 1 : 0);
  emit(run);

  const std::uint32_t slot = loops_++ % 2;
  scratchpad_half_busy_[loop.a_id == 0 ? slot : loop.a_id - 1] = true;
  scratchpad_half_busy_[loop.b_id == 0 ? slot : loop.b_id - 1] = true;
  accumulator_half_busy_[loop.residual ? slot : loop_half_] = true;
  if (loop.has_c) loop_half_ ^= 1;
  known_.clear();  // what a loop leaves in the local memories is its own affair
  tracker_.note_loop(loop.residual);
}

void ProgramEmitter::loop(Random& random) {
  MatmulLoop loop = pick_loop(random, 4);
  loop.has_d = random.chance(50);
  loop.low_d = loop.has_d && random.chance(30);
  loop.repeat_d = loop.has_d && random.chance(30);
  loop.full_c = random.chance(20);
  loop.activation = loop.full_c ? 0 : random.count(0, 1);
  if (!loop.full_c && geometry_.normaliser && random.chance(20)) loop.activation = 3;
  if (!loop.has_d && random.chance(30)) loop.has_d = true;
  if (random.chance(15)) loop.a_id = loop.b_id = random.count(1, 2);
  // Bytes and words enter the accumulator on different ways.
  if (tracker_.loop_needs_fence() || (loop.low_d && !tracker_.idle()) || random.chance(20)) fence();
  ExecuteConfig config;
  config.a_transpose = loop.a_transpose;
  config.b_transpose = loop.b_transpose;
  configure_execute(config);
  emit_loop(random, loop);
  if (loop.low_d) fence();
}

void ProgramEmitter::loop_split(Random& random) {
  MatmulLoop first = pick_loop(random, 3);
  first.has_d = random.chance(50);
  first.has_c = false;
  MatmulLoop second = first;
  second.has_d = false;
  second.has_c = true;
  second.ex_accumulate = true;
  second.full_c = random.chance(20);
  second.activation = random.count(0, 1);
  second.pad_k = random.count(0, dim_ - 1);
  if (tracker_.loop_needs_fence() || random.chance(20)) fence();
  ExecuteConfig config;
  config.a_transpose = first.a_transpose;
  config.b_transpose = first.b_transpose;
  configure_execute(config);
  emit_loop(random, first);
  emit_loop(random, second);
}

void ProgramEmitter::loop_normalise(Random& random) {
  if (!geometry_.normaliser) return loop(random);
  MatmulLoop loop = pick_loop(random, 5);
  loop.i = std::min(loop.i, 2u);
  loop.has_d = random.chance(50);
  // Two rows at a time; see normalise() for single ones and for the exponential of 2025.
  loop.pad_i &= ~1u;
  loop.activation = !geometry_.iexp_as_igelu && random.chance(50) ? kSoftmax : kLayerNorm;
  loop.scale = random.pick({1.0f, 8.0f, 0.7f});
  const bool deferred = loop.activation == kSoftmax && geometry_.extensions.deferred_softmax && random.chance(50);
  if (deferred) {
    loop.store_activation = static_cast<std::uint32_t>(isa::Activation::kExp);
    loop.row_group = random.count(0, 63);
  }
  if (!tracker_.idle()) fence();
  configure_extensions(random);
  ExecuteConfig config;
  config.a_transpose = loop.a_transpose;
  config.b_transpose = loop.b_transpose;
  configure_execute(config);
  emit_loop(random, loop);
  fence();
  Instruction select = isa::make(Op::kConfigNorm);
  fields::ConfigNorm::set_stats_id_only.set(select, 1);
  emit(select);
  if (!deferred) return;
  // A product of as many rows takes the row scales that the exponentials have left.
  MatmulLoop product = pick_loop(random, 3);
  product.i = std::min(loop.i, static_cast<std::uint32_t>(geometry_.accumulator_rows() / 2) / dim_ / product.j);
  product.k = 1;
  product.a_transpose = loop.a_transpose;
  product.b_transpose = loop.b_transpose;
  product.store_activation = static_cast<std::uint32_t>(isa::Activation::kRowScale);
  product.row_group = loop.row_group;
  emit_loop(random, product);
  fence();
}

void ProgramEmitter::residual(Random& random) {
  MatmulLoop loop = pick_loop(random, 6);
  loop.a_transpose = loop.b_transpose = false;
  loop.residual = true;
  loop.activation = random.count(0, 1);
  loop.full_c = random.chance(15);
  loop.a_scale = pick_scale(random);
  loop.b_scale = pick_scale(random);
  // One register tells both loop slots whether they add: additions and products must not overlap.
  if (!tracker_.idle()) fence();
  const std::uint32_t count = random.count(1, 3);
  for (std::uint32_t n = 0; n < count; ++n) {
    emit_loop(random, loop);
    // Beside the stores of one addition, the loads of the next may change places: A after B.
    fence();
  }
}

void ProgramEmitter::convolution(Random& random) {
  const std::uint32_t kernel = random.pick({1u, 2u, 3u});
  const std::uint32_t dilation = kernel > 1 && random.chance(10) ? 2 : 1;
  const std::uint32_t span = kernel + (dilation - 1) * (kernel - 1);
  const std::uint32_t most_channels = std::min(2 * dim_, 80u);
  const std::uint32_t in_channels = random.chance(30) ? random.count(1, 4) : random.count(1, most_channels);
  const std::uint32_t out_channels = random.chance(30) ? random.count(1, 4) : random.count(1, most_channels);
  const std::uint32_t batches = random.count(1, 2);
  std::uint32_t stride = random.count(1, 2);
  std::uint32_t in_dim = random.count(std::max(2u, span), 8);
  const std::uint32_t padding = random.count(0, std::min(span - 1, 1u));
  const bool downsample = kernel == 1 && stride == 2 && padding == 0 && random.chance(50);
  if (downsample) in_dim = (in_dim + 1) & ~1u;
  if (in_dim + 2 * padding < span) stride = 1;
  const std::uint32_t out_dim = (in_dim + 2 * padding - span) / stride + 1;
  const std::uint32_t irows = out_dim * stride + span - 1;
  const std::uint32_t bottom = irows > in_dim + padding ? irows - in_dim - padding : 0;
  // Several pixels of few channels side by side in one row of the array.
  const std::uint32_t max_pixels = std::min(kernel, dim_ / std::min(in_channels, dim_));
  const bool several_pixels = in_channels < dim_ && max_pixels > 1 && dilation == 1 && stride == 1 && random.chance(40);
  const std::uint32_t pixels = several_pixels ? random.count(2, max_pixels) : 1;
  const bool pooled = out_dim >= 2 && random.chance(35);
  const std::uint32_t pool_size = pooled ? random.count(1, std::min(3u, out_dim)) : 0;
  const std::uint32_t pool_stride = pooled ? random.count(1, 2) : 0;
  const std::uint32_t pool_padding = pooled ? random.count(0, (pool_size - 1) / 2) : 0;
  const std::uint32_t pool_out = pooled ? (out_dim + 2 * pool_padding - pool_size) / pool_stride + 1 : 0;

  // What does not fit into its half of the memories becomes another step.
  const auto groups = [&](std::uint32_t channels) { return (channels + dim_ - 1) / dim_; };
  const std::uint32_t inputs =
      groups(in_channels) * batches * (irows >> (downsample ? 1 : 0)) * (irows >> (downsample ? 1 : 0));
  const std::uint32_t weights = groups(out_channels) * kernel * kernel * in_channels;
  const std::uint32_t results = groups(out_channels) * batches * out_dim * out_dim;
  if (inputs + weights > static_cast<std::uint32_t>(geometry_.scratchpad_rows()) / 2 ||
      results > static_cast<std::uint32_t>(geometry_.accumulator_rows()) / 2) {
    return loop(random);
  }

  if (!tracker_.idle()) fence();
  ExecuteConfig config;
  config.a_stride = downsample ? 1 : stride;
  configure_execute(config);
  const std::uint32_t in_stride = in_channels + random.pick({0u, 0u, 5u});
  const std::uint32_t weight_stride = out_channels + random.pick({0u, 0u, 3u});
  const std::uint32_t out_stride = out_channels + random.pick({0u, 0u, 7u});
  const std::uint32_t activation = random.count(0, 1);
  const bool has_bias = random.chance(70);
  const std::uint32_t out_pixels = pooled ? pool_out * pool_out : out_dim * out_dim;
  Instruction store = isa::make(Op::kConfigSt);
  fields::ConfigSt::stride.set(store, out_stride);
  fields::ConfigSt::activation.set(store, activation);
  fields::ConfigSt::acc_scale.set(store, bits_of(pick_scale(random)));
  emit(store);

  const std::uint32_t count = random.chance(30) ? 2 : 1;
  for (std::uint32_t n = 0; n < count; ++n) {
    const std::uint64_t input =
        pick_input(random, std::uint64_t{batches} * in_dim * in_dim * in_stride + in_stride, false);
    const std::uint64_t weight =
        pick_input(random, std::uint64_t{kernel} * kernel * in_channels * weight_stride + weight_stride, false);
    const std::uint64_t bias = pick_input(random, std::uint64_t{out_channels} * 4, true);
    const std::uint64_t output = new_output(random, std::uint64_t{batches} * out_pixels * out_stride);
    const bool square = geometry_.loop_conv_encoding == 2023;
    Instruction one = isa::make(square ? Op::kLoopConv1 : Op::kLoopConv1Rect);
    if (square) {
      namespace f = fields::LoopConv1;
      f::in_dim.set(one, in_dim);
      f::out_dim.set(one, out_dim);
      f::pool_out_dim.set(one, pool_out);
      f::stride.set(one, stride);
      f::padding.set(one, padding);
    } else {
      namespace f = fields::LoopConv1Rect;
      f::in_row_dim.set(one, in_dim);
      f::out_row_dim.set(one, out_dim);
      f::out_col_dim.set(one, out_dim);
      f::pool_out_row_dim.set(one, pool_out);
      f::stride.set(one, stride);
      f::padding.set(one, padding);
    }
    fields::LoopConv1::batch_size.set(one, batches);
    fields::LoopConv1::in_channels.set(one, in_channels);
    fields::LoopConv1::out_channels.set(one, out_channels);
    emit(one);
    Instruction two = isa::make(square ? Op::kLoopConv2 : Op::kLoopConv2Rect);
    if (square) {
      namespace f = fields::LoopConv2;
      f::pool_padding.set(two, pool_padding);
      f::pool_stride.set(two, pool_stride);
      f::pool_size.set(two, pool_size);
    } else {
      namespace f = fields::LoopConv2Rect;
      f::pool_padding.set(two, pool_padding);
      f::pool_stride.set(two, pool_stride);
      f::pool_size.set(two, pool_size);
      f::pool_out_col_dim.set(two, pool_out);
    }
    fields::LoopConv2::kernel_dim.set(two, kernel);
    fields::LoopConv2::batches.set(two, batches);
    fields::LoopConv2::porows.set(two, pooled ? pool_out : out_dim);
    fields::LoopConv2::pocols.set(two, pooled ? pool_out : out_dim);
    fields::LoopConv2::pochs.set(two, out_channels);
    emit(two);
    Instruction three = isa::make(square ? Op::kLoopConv3 : Op::kLoopConv3Rect);
    if (square) {
      fields::LoopConv3::dpad.set(three, bottom);
      fields::LoopConv3::plpad.set(three, pool_padding);
    } else {
      fields::LoopConv3Rect::dpad.set(three, bottom);
      fields::LoopConv3Rect::plpad.set(three, pool_padding);
      fields::LoopConv3Rect::in_col_dim.set(three, in_dim);
    }
    fields::LoopConv3::lpad.set(three, padding);
    fields::LoopConv3::upad.set(three, padding);
    fields::LoopConv3::rpad.set(three, bottom);
    fields::LoopConv3::krows.set(three, kernel);
    fields::LoopConv3::kcols.set(three, kernel);
    fields::LoopConv3::kchs.set(three, in_channels);
    emit(three);
    Instruction four = isa::make(Op::kLoopConv4);
    {
      namespace f = fields::LoopConv4;
      f::kernel_dilation.set(four, dilation);
      f::pupad.set(four, pool_padding);
      f::pdpad.set(four, pool_padding);
      f::prad.set(four, pool_padding);
      f::orows.set(four, out_dim);
      f::ocols.set(four, out_dim);
      f::in_stride.set(four, in_stride);
      f::weight_stride.set(four, weight_stride);
      f::out_stride.set(four, out_stride);
    }
    emit(four);
    emit(pair_of(Op::kLoopConv5, weight, output));
    emit(pair_of(Op::kLoopConv6, bias, input));
    Instruction run = isa::make(Op::kLoopConv);
    namespace f = fields::LoopConv;
    f::no_bias.set(run, has_bias ? 0 : 1);
    f::no_pool.set(run, pooled ? 0 : 1);
    f::downsample.set(run, downsample ? 1 : 0);
    f::activation.set(run, activation);
    f::max_pixels_per_row.set(run, pixels);
    emit(run);
    ++convolutions_;
  }
  known_.clear();
  tracker_.note_loop(false);
  fence();
}

}  // namespace systole::test
