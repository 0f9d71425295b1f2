#include "kernels/matmul.h"

#include <algorithm>

#include "sim/base/errors.h"

namespace systole::kernels {
namespace {

// One step of a loop nest: `count` tiles from tile `first`, the last of them short by `pad` elements.
struct Step {
  std::uint64_t first = 0, count = 1, pad = 0;
};

Step step_at(std::uint64_t index, std::uint64_t tile, std::uint64_t size, std::uint64_t dim) {
  const std::uint64_t tiles = ceil_div(size, dim);
  Step s;
  s.first = index * tile;
  s.count = std::min(tile, tiles - s.first);
  if (s.first + s.count == tiles) s.pad = tiles * dim - size;
  return s;
}

struct Geometry {
  std::uint64_t dim, m, n, k;
};

// Elements of a step, without its padding.
std::uint64_t elements(const Step& s, std::uint64_t dim) { return s.count * dim - s.pad; }

LoopWs make_loop(const Geometry& g, const Step& i, const Step& j, const Step& k, const Matrix& a, bool transpose_b,
                 const MatmulBranch& br, bool first_k, bool last_k) {
  LoopWs loop;
  loop.i = i.count, loop.j = j.count, loop.k = k.count;
  loop.pad_i = i.pad, loop.pad_j = j.pad, loop.pad_k = k.pad;
  loop.a = a.at(i.first * g.dim, k.first * g.dim);
  loop.b = transpose_b ? br.b.at(j.first * g.dim, k.first * g.dim) : br.b.at(k.first * g.dim, j.first * g.dim);
  if (first_k && br.d.present()) loop.d = br.d.at(i.first * g.dim, j.first * g.dim);
  if (last_k) loop.c = br.c.at(i.first * g.dim, j.first * g.dim);
  loop.stride_a = a.stride_elements();
  loop.stride_b = br.b.stride_elements();
  loop.stride_d = br.d.stride_elements();
  loop.stride_c = br.c.stride_elements();
  loop.accumulate = br.d.present() || !first_k;
  loop.full_c = br.c.element == Element::kInt32;
  loop.low_d = br.d.present() && br.d.element == Element::kInt8;
  loop.transpose_b = transpose_b;
  if (!loop.full_c) loop.activation = loop_store_sequence(br.store.activation);
  return loop;
}

void configure(Builder& b, const Matrix& a, bool transpose_b, const MatmulBranch& br) {
  b.execute_config({true, false, transpose_b});
  StoreConfig store = br.store;
  store.stride = br.c.stride;
  b.store_config(store);
  b.load_config(LoadState::kA, {a.stride, 1.0f, false});
  b.load_config(LoadState::kB, {br.b.stride, 1.0f, false});
  if (br.d.present()) {
    b.load_config(LoadState::kD, {br.d.stride, br.d_scale, br.d.element == Element::kInt8});
  }
}

// Adds x * scale to the output tiles (i, j) in the accumulator, through accumulating loads (E2).
void add_scaled(Builder& b, const Geometry& g, const Step& i, const Step& j, const ResidualTerm& r) {
  const bool int8 = r.x.element == Element::kInt8;
  b.load_config(LoadState::kD, {r.x.stride, r.scale, int8});
  const auto blocks = static_cast<std::uint64_t>(int8 ? b.target().max_blocks() : b.target().max_blocks_acc());
  const std::uint64_t base = b.loop_accumulator_row();
  for (std::uint64_t ti = 0; ti < i.count; ++ti) {
    const std::uint64_t rows = std::min(g.dim, elements(i, g.dim) - ti * g.dim);
    for (std::uint64_t tj = 0; tj < j.count; tj += blocks) {
      const std::uint64_t cols = std::min(blocks * g.dim, elements(j, g.dim) - tj * g.dim);
      b.mvin(LoadState::kD, r.x.at((i.first + ti) * g.dim, (j.first + tj) * g.dim),
             b.accumulator(base + (ti * j.count + tj) * g.dim, true), cols, rows);
    }
  }
}

// Adds x * diag(G) to the output tiles (i, j): one array pass per tile and int8 part of the diagonal.
void add_diagonal(Builder& b, const Geometry& g, const Step& i, const Step& j, const ResidualTerm& r) {
  const auto blocks = static_cast<std::uint64_t>(b.target().max_blocks());
  const std::uint64_t base = b.loop_accumulator_row();
  const std::uint64_t half = b.target().scratchpad_rows / 2;
  const std::uint64_t x_rows = i.count * g.dim;
  // Diagonal tiles of one column block that fit a half beside x.
  const std::uint64_t batch = std::min(r.passes, (half - x_rows) / g.dim);
  SYSTOLE_CHECK(batch >= 1);
  b.load_config(LoadState::kA, {r.x.stride, 1.0f, false});
  b.load_config(LoadState::kB, {r.diagonal.stride, 1.0f, false});
  std::uint64_t side = 0;
  for (std::uint64_t tj = 0; tj < j.count; ++tj) {
    const std::uint64_t column = (j.first + tj) * g.dim;
    const std::uint64_t width = std::min(g.dim, elements(j, g.dim) - tj * g.dim);
    for (std::uint64_t p0 = 0; p0 < r.passes; p0 += batch, side ^= 1) {
      const std::uint64_t passes = std::min(batch, r.passes - p0);
      const std::uint64_t x_row = side * half;
      const std::uint64_t g_row = x_row + x_rows;
      for (std::uint64_t ti = 0; ti < i.count; ++ti) {
        const std::uint64_t rows = std::min(g.dim, elements(i, g.dim) - ti * g.dim);
        b.mvin(LoadState::kA, r.x.at((i.first + ti) * g.dim, column), b.scratchpad(x_row + ti * g.dim), width, rows);
      }
      for (std::uint64_t p = 0; p < passes; p += blocks) {
        const std::uint64_t n = std::min(blocks, passes - p);
        b.mvin(LoadState::kB, r.diagonal.at(column, (p0 + p) * g.dim), b.scratchpad(g_row + p * g.dim), n * g.dim, g.dim);
      }
      for (std::uint64_t p = 0; p < passes; ++p) {
        for (std::uint64_t ti = 0; ti < i.count; ++ti) {
          const std::uint64_t rows = std::min(g.dim, elements(i, g.dim) - ti * g.dim);
          const isa::LocalAddress weights = ti == 0 ? b.scratchpad(g_row + p * g.dim) : Builder::garbage();
          b.preload(weights, width, width, b.accumulator(base + (ti * j.count + tj) * g.dim, true), width, rows);
          b.compute(ti == 0, b.scratchpad(x_row + ti * g.dim), width, rows);
        }
      }
    }
  }
}

void add_residual(Builder& b, const Geometry& g, const Step& i, const Step& j, const ResidualTerm& r) {
  if (r.passes != 0) {
    add_diagonal(b, g, i, j, r);
    return;
  }
  // Accumulating loads and the array share one adder that nothing arbitrates between banks (AccumulatorMem.scala), and loads
  // on different paths are not ordered among themselves, so the array and the loads take turns.
  b.fence();
  add_scaled(b, g, i, j, r);
  b.fence();
}

// Bias (or zeros) as ordinary loads, for products whose only k step follows the residual.
void load_bias(Builder& b, const Geometry& g, const Step& i, const Step& j, const Matrix& d) {
  b.load_config(LoadState::kD, {d.stride, 1.0f, false});
  const auto blocks = static_cast<std::uint64_t>(b.target().max_blocks_acc());
  const std::uint64_t base = b.loop_accumulator_row();
  for (std::uint64_t ti = 0; ti < i.count; ++ti) {
    const std::uint64_t rows = std::min(g.dim, elements(i, g.dim) - ti * g.dim);
    for (std::uint64_t tj = 0; tj < j.count; tj += blocks) {
      const std::uint64_t cols = std::min(blocks * g.dim, elements(j, g.dim) - tj * g.dim);
      const std::uint64_t source = d.present() ? d.at((i.first + ti) * g.dim, (j.first + tj) * g.dim) : 0;
      b.mvin(LoadState::kD, source, b.accumulator(base + (ti * j.count + tj) * g.dim), cols, rows);
    }
  }
}

void check_shapes(const Matrix& a, bool transpose_b, const MatmulBranch& br) {
  SYSTOLE_CHECK(br.c.rows == a.rows && (transpose_b ? br.b.cols : br.b.rows) == a.cols);
  SYSTOLE_CHECK((transpose_b ? br.b.rows : br.b.cols) == br.c.cols);
  SYSTOLE_CHECK(!br.d.present() || br.d.cols == br.c.cols);
  // Bias and residual in the fenced form: the bias is an unscaled int32 row.
  SYSTOLE_CHECK(!br.residual || !br.d.present() || (br.d_scale == 1.0f && br.d.element == Element::kInt32));
  SYSTOLE_CHECK(!br.residual || (br.residual->x.rows == br.c.rows && br.residual->x.cols == br.c.cols));
}

}  // namespace

void matmul(Builder& builder, const Matrix& a, bool transpose_b, const std::vector<MatmulBranch>& branches) {
  if (branches.empty()) return;
  bool with_residual = false;
  for (const MatmulBranch& br : branches) with_residual = with_residual || br.residual.has_value();
  matmul_tiled(builder, a, transpose_b, branches,
               builder.product_tiling({{a.rows, branches[0].c.cols, a.cols}, transpose_b, with_residual, branches.size()}));
}

void matmul_tiled(Builder& builder, const Matrix& a, bool transpose_b, const std::vector<MatmulBranch>& branches,
                  const TilingChoice& plan) {
  if (branches.empty()) return;
  const Geometry g{builder.dim(), a.rows, branches[0].c.cols, a.cols};
  bool resident_a = plan.resident_a;
  for (const MatmulBranch& br : branches) {
    check_shapes(a, transpose_b, br);
    SYSTOLE_CHECK(br.c.cols == g.n);
    // The diagonal passes use the scratchpad themselves.
    if (br.residual && br.residual->passes != 0) resident_a = false;
  }
  if (resident_a && builder.operand_resident()) builder.fence();
  const Tiling& t = plan.tiling;
  const std::uint64_t i_steps = ceil_div(ceil_div(g.m, g.dim), t.i);
  const std::uint64_t j_steps = ceil_div(ceil_div(g.n, g.dim), t.j);
  const std::uint64_t k_steps = ceil_div(ceil_div(g.k, g.dim), t.k);
  for (std::uint64_t i0 = 0; i0 < i_steps; ++i0) {
    const Step i = step_at(i0, t.i, g.m, g.dim);
    bool a_loaded = false;
    for (const MatmulBranch& br : branches) {
      if (br.before) br.before();
      for (std::uint64_t j0 = 0; j0 < j_steps; ++j0) {
        const Step j = step_at(j0, t.j, g.n, g.dim);
        for (std::uint64_t k0 = 0; k0 < k_steps; ++k0) {
          const Step k = step_at(k0, t.k, g.k, g.dim);
          const bool last_k = k0 + 1 == k_steps;
          LoopWs loop = make_loop(g, i, j, k, a, transpose_b, br, k0 == 0, last_k);
          if (br.residual && last_k) {
            if (k_steps == 1) {
              // Too short to be split: bias and residual come first, the product is added to them.
              load_bias(builder, g, i, j, br.d);
              builder.execute_config({true, false, transpose_b});
              loop.d = 0;
              loop.accumulate = true;
            }
            add_residual(builder, g, i, j, *br.residual);
          }
          configure(builder, a, transpose_b, br);
          if (resident_a) {
            loop.a_spad_id = k_steps == 2 ? static_cast<int>(k0) + 1 : static_cast<int>(i0 & 1) + 1;
            if (a_loaded) loop.a = 0;
          }
          builder.loop_ws(loop);
        }
        a_loaded = resident_a;
      }
    }
  }
}

DiagonalTiles make_diagonal(const std::vector<std::int32_t>& diagonal, std::uint64_t dim) {
  std::int64_t largest = 1;
  for (const std::int32_t g : diagonal) largest = std::max<std::int64_t>(largest, g < 0 ? -std::int64_t{g} : std::int64_t{g});
  DiagonalTiles result;
  result.passes = ceil_div(static_cast<std::uint64_t>(largest), 127);
  const std::uint64_t rows = round_up(diagonal.size(), dim);
  const std::uint64_t width = result.passes * dim;
  result.data.assign(rows * width, 0);
  for (std::size_t e = 0; e < diagonal.size(); ++e) {
    std::int64_t rest = diagonal[e];
    for (std::uint64_t p = 0; p < result.passes; ++p) {
      const std::int64_t part = std::clamp<std::int64_t>(rest, -127, 127);
      rest -= part;
      result.data[e * width + p * dim + e % dim] = static_cast<std::int8_t>(part);
    }
    SYSTOLE_CHECK(rest == 0);
  }
  return result;
}

}  // namespace systole::kernels
