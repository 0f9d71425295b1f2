#include "kernels/published.h"

#include <fmt/format.h>

#include <algorithm>

#include "isa/instruction.h"
#include "kernels/tiling/gemmini.h"
#include "sim/base/errors.h"

namespace systole::kernels {
namespace {

namespace f = isa::fields;
using isa::Activation;
using isa::Instruction;
using isa::Op;

// The library runs LayerNorm with two statistics ids (NORM_STAT_IDS of its generated header).
constexpr std::uint64_t kStatsIds = 2;

void config_execute(Builder& b, Activation activation, bool transpose_b) {
  Instruction i = isa::make(Op::kConfigEx);
  f::ConfigEx::dataflow.set(i, 1);
  f::ConfigEx::activation.set(i, static_cast<std::uint64_t>(activation) & 3u);
  f::ConfigEx::b_transpose.set(i, transpose_b ? 1 : 0);
  f::ConfigEx::a_stride.set(i, 1);
  f::ConfigEx::acc_scale.set(i, scale_bits(1.0f));
  f::ConfigEx::c_stride.set(i, 1);
  b.raw(i);
}

void config_store(Builder& b, std::uint64_t stride, Activation activation, float scale) {
  Instruction i = isa::make(Op::kConfigSt);
  f::ConfigSt::activation.set(i, static_cast<std::uint64_t>(activation) & 3u);
  f::ConfigSt::stride.set(i, stride);
  f::ConfigSt::acc_scale.set(i, scale_bits(scale));
  b.raw(i);
}

void config_load(Builder& b, int state, std::uint64_t stride, bool shrink) {
  Instruction i = isa::make(Op::kConfigLd);
  f::ConfigLd::state.set(i, static_cast<std::uint64_t>(state));
  f::ConfigLd::shrink.set(i, shrink ? 1 : 0);
  f::ConfigLd::pixel_repeats.set(i, 1);
  f::ConfigLd::block_stride.set(i, b.dim());
  f::ConfigLd::scale.set(i, scale_bits(1.0f));
  f::ConfigLd::stride.set(i, stride);
  b.raw(i);
}

void config_norm(Builder& b, std::int32_t constant, bool inverse, bool msb, int id, const NonlinearConstants& c) {
  Instruction i = isa::make(Op::kConfigNorm);
  f::ConfigNorm::stats_id.set(i, static_cast<std::uint64_t>(id));
  f::ConfigNorm::activation_msb.set(i, msb ? 1 : 0);
  f::ConfigNorm::q_const_type.set(i, inverse ? 1 : 0);
  f::ConfigNorm::q_const.set(i, static_cast<std::uint32_t>(constant));
  f::ConfigNorm::qb.set(i, static_cast<std::uint32_t>(c.qb));
  f::ConfigNorm::qc.set(i, static_cast<std::uint32_t>(c.qc));
  b.raw(i);
}

// Tiles of step `index` and what the last one is short of.
struct Step {
  std::uint64_t first = 0, count = 0, pad = 0;
};

Step step_at(std::uint64_t index, std::uint64_t tile, std::uint64_t size, std::uint64_t dim) {
  const std::uint64_t tiles = ceil_div(size, dim);
  Step s;
  s.first = index * tile;
  s.count = std::min(tile, tiles - s.first);
  if (s.first + s.count == tiles) s.pad = tiles * dim - size;
  return s;
}

}  // namespace

void published_matmul(Builder& b, const PublishedMatmul& p) {
  const std::uint64_t dim = b.dim();
  const std::uint64_t m = p.a.rows, k = p.a.cols, n = p.c.cols;
  SYSTOLE_CHECK(p.c.rows == m && (p.transpose_b ? p.b.rows : p.b.cols) == n && (p.transpose_b ? p.b.cols : p.b.rows) == k);
  const bool whole_rows = p.activation == Activation::kLayerNorm || p.activation == Activation::kSoftmax;
  const Tiling t = gemmini_tiling(b.target(), {m, n, k}, whole_rows);
  const std::uint64_t i_steps = ceil_div(ceil_div(m, dim), t.i);
  const std::uint64_t j_steps = ceil_div(ceil_div(n, dim), t.j);
  const std::uint64_t k_steps = ceil_div(ceil_div(k, dim), t.k);
  config_execute(b, p.activation, p.transpose_b);
  config_store(b, p.c.stride, p.activation, p.scale);
  config_load(b, 0, p.a.stride, false);
  config_load(b, 1, p.b.stride, false);
  config_load(b, 2, p.d.stride, false);
  if (p.activation == Activation::kIgelu) config_norm(b, 0, false, false, 0, p.constants);
  if (p.activation == Activation::kSoftmax) {
    config_norm(b, p.constants.qln2, false, true, 0, p.constants);
    config_norm(b, p.constants.qln2_inv, true, true, 0, p.constants);
  }
  // An operand of at most two loop steps stays in the scratchpad.
  const bool a_reuse = i_steps * k_steps <= 2;
  const bool b_reuse = j_steps * k_steps <= 2;
  for (std::uint64_t i0 = 0; i0 < i_steps; ++i0) {
    for (std::uint64_t j0 = 0; j0 < j_steps; ++j0) {
      for (std::uint64_t k0 = 0; k0 < k_steps; ++k0) {
        const Step i = step_at(i0, t.i, m, dim), j = step_at(j0, t.j, n, dim), s = step_at(k0, t.k, k, dim);
        LoopWs loop;
        loop.i = i.count, loop.j = j.count, loop.k = s.count;
        loop.pad_i = i.pad, loop.pad_j = j.pad, loop.pad_k = s.pad;
        loop.a = p.a.at(i.first * dim, s.first * dim);
        loop.b = p.transpose_b ? p.b.at(j.first * dim, s.first * dim) : p.b.at(s.first * dim, j.first * dim);
        if (k0 == 0 && p.d.present()) loop.d = p.d.at(i.first * dim, j.first * dim);
        if (k0 + 1 == k_steps) loop.c = p.c.at(i.first * dim, j.first * dim);
        loop.stride_a = p.a.stride_elements();
        loop.stride_b = p.b.stride_elements();
        loop.stride_d = p.d.stride_elements();
        loop.stride_c = p.c.stride_elements();
        loop.accumulate = p.d.present() || k0 != 0;
        loop.full_c = p.c.element == Element::kInt32;
        loop.transpose_b = p.transpose_b;
        loop.activation = p.activation;
        if (a_reuse) {
          loop.a_spad_id = i0 + k0 == 0 ? 1 : 2;
          if (j0 >= 1) loop.a = 0;
        }
        if (b_reuse) {
          loop.b_spad_id = j0 + k0 == 0 ? 1 : 2;
          if (i0 >= 1) loop.b = 0;
        }
        b.loop_ws(loop);
      }
    }
  }
  b.fence();
}

void published_layer_norm(Builder& b, const Matrix& x, const Matrix& out, float scale) {
  SYSTOLE_CHECK(x.element == Element::kInt32 && x.rows == out.rows && x.cols == out.cols);
  const std::uint64_t dim = b.dim();
  const std::uint64_t row_blocks = b.target().accumulator_rows / (ceil_div(x.cols, dim) * dim);
  if (row_blocks == 0) {
    throw ConfigError(fmt::format("LayerNorm of {} columns does not fit {} accumulator rows of {} elements", x.cols,
                                  b.target().accumulator_rows, b.target().dim));
  }
  const std::uint64_t tile_rows = std::min(x.rows, row_blocks * dim);
  const std::uint64_t row_stride = ceil_div(x.cols, dim) * dim;  // local rows of a block of `dim` matrix rows
  const std::uint64_t load = static_cast<std::uint64_t>(b.target().max_blocks_acc()) * dim;
  const std::uint64_t store = static_cast<std::uint64_t>(b.target().max_blocks()) * dim;
  using isa::NormCommand;
  constexpr NormCommand kPasses[3][2] = {{NormCommand::kSum, NormCommand::kMean},
                                         {NormCommand::kVariance, NormCommand::kInvStddev},
                                         {NormCommand::kReset, NormCommand::kReset}};
  config_store(b, out.stride, Activation::kLayerNorm, scale);
  config_execute(b, Activation::kNone, false);
  config_load(b, 0, x.stride, false);
  config_load(b, 1, x.stride, false);
  for (std::uint64_t first = 0; first < x.rows; first += tile_rows) {
    const std::uint64_t end = std::min(first + tile_rows, x.rows);
    for (std::uint64_t i = first; i < end; i += dim) {
      const std::uint64_t rows = std::min(dim, end - i);
      const std::uint64_t base = (i - first) / dim * row_stride;
      for (std::uint64_t j = 0; j < x.cols; j += load) {
        b.mvin(LoadState::kA, x.at(i, j), b.accumulator(base + j), std::min(load, x.cols - j), rows);
      }
      for (std::uint64_t row = 0; row < rows; row += kStatsIds) {
        for (const auto& pass : kPasses) {
          for (std::uint64_t id = 0; id < std::min(kStatsIds, rows - row); ++id) {
            config_norm(b, 0, false, false, static_cast<int>(id), {});
            for (std::uint64_t j = 0; j < x.cols; j += store) {
              const NormCommand command = j + store >= x.cols ? pass[1] : pass[0];
              // The library marks its store addresses as accumulating, which stores ignore.
              b.mvout(out.at(i + row + id, j), b.accumulator(base + j + row + id, true, false, command),
                      std::min(store, x.cols - j), 1);
            }
          }
        }
      }
    }
  }
  b.fence();
}

void published_residual_add(Builder& b, const Matrix& a, const Matrix& addend, const Matrix& c) {
  const std::uint64_t dim = b.dim();
  std::uint64_t tile_i = c.rows, tile_j = c.cols;
  while (round_up(tile_i, dim) * ceil_div(tile_j, dim) > b.target().accumulator_rows / 2) {
    if (tile_i >= tile_j || tile_j <= dim) {
      tile_i /= 2;
    } else {
      tile_j -= dim;
    }
    SYSTOLE_CHECK(tile_i > 0);
  }
  config_store(b, c.stride, Activation::kNone, 1.0f);
  config_execute(b, Activation::kNone, false);
  config_load(b, 0, a.stride, true);
  config_load(b, 1, addend.stride, true);
  for (std::uint64_t i = 0; i < c.rows; i += tile_i) {
    for (std::uint64_t j = 0; j < c.cols; j += tile_j) {
      const std::uint64_t rows = std::min(tile_i, c.rows - i), cols = std::min(tile_j, c.cols - j);
      ResidualAddLoop loop;
      loop.i = ceil_div(rows, dim), loop.j = ceil_div(cols, dim);
      loop.pad_i = loop.i * dim - rows, loop.pad_j = loop.j * dim - cols;
      loop.a = a.at(i, j), loop.b = addend.at(i, j), loop.c = c.at(i, j);
      loop.stride_a = a.stride_elements(), loop.stride_b = addend.stride_elements(), loop.stride_c = c.stride_elements();
      b.loop_residual_add(loop);
    }
  }
  b.fence();
}

}  // namespace systole::kernels
