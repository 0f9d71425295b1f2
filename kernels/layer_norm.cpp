#include "kernels/layer_norm.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/normalise.h"
#include "sim/base/errors.h"

namespace systole::kernels {
namespace {

// Rows taken at a time and whether two such chunks fit, so that one is loaded while the other is normalised.
struct Chunking {
  std::uint64_t rows = 0;
  bool two = false;
};

Chunking choose_chunk(const Target& target, std::uint64_t cols, std::uint64_t available) {
  const auto dim = static_cast<std::uint64_t>(target.dim);
  Chunking best;
  for (std::uint64_t rows = dim; rows >= 1; rows /= 2) {
    const std::uint64_t needed = AccumulatorLayout::chunk_rows(target, cols, rows);
    if (2 * needed <= available) return {rows, true};
    if (best.rows == 0 && needed <= available) best = {rows, false};
  }
  return best;
}

class ChunkLoader {
 public:
  ChunkLoader(Builder& builder, const Matrix& x, const AccumulatorLayout& layout, std::uint64_t first_row)
      : b_(builder), x_(x), layout_(layout), first_row_(first_row),
        step_(static_cast<std::uint64_t>(builder.target().max_blocks_acc()) * builder.dim()) {}

  // Loads until `share` of `shares` parts of the chunk are on their way.
  void load_until(std::uint64_t share, std::uint64_t shares) {
    const std::uint64_t steps = ceil_div(x_.cols, step_);
    const std::uint64_t target = ceil_div(steps * share, shares);
    if (next_ >= target) return;
    b_.load_config(LoadState::kA, {x_.stride, 1.0f, false});
    const std::uint64_t width = layout_.group_cols(b_.dim());
    for (; next_ < target; ++next_) {
      const std::uint64_t col = next_ * step_;
      const std::uint64_t local = layout_.row_of(b_.dim(), 0, col / width) + col % width;
      b_.mvin(LoadState::kA, x_.at(first_row_, col), b_.accumulator(local), std::min(step_, x_.cols - col), layout_.rows);
    }
  }

 private:
  Builder& b_;
  const Matrix& x_;
  AccumulatorLayout layout_;
  std::uint64_t first_row_;
  std::uint64_t step_;
  std::uint64_t next_ = 0;
};

}  // namespace

std::vector<float> affine_rows(const std::vector<float>& gamma, const std::vector<float>& beta, std::uint64_t dim) {
  SYSTOLE_CHECK(gamma.size() == beta.size());
  std::vector<float> rows(2 * round_up(gamma.size(), dim), 0.0f);
  for (std::size_t e = 0; e < gamma.size(); ++e) {
    const std::size_t row = e / dim * 2;
    rows[row * dim + e % dim] = gamma[e];
    rows[(row + 1) * dim + e % dim] = beta[e];
  }
  return rows;
}

void layer_norm(Builder& b, const LayerNormArguments& args) {
  const Matrix& x = args.x;
  SYSTOLE_CHECK(x.element == Element::kInt32 && args.out.rows == x.rows && args.out.cols == x.cols);
  const Target& target = b.target();
  const std::uint64_t dim = b.dim();
  const bool affine = args.affine.present();
  const std::uint64_t affine_local_rows = affine ? args.affine.rows : 0;
  const Chunking chunking = affine_local_rows < target.accumulator_rows
                                ? choose_chunk(target, x.cols, target.accumulator_rows - affine_local_rows)
                                : Chunking{};
  if (chunking.rows == 0) {
    throw ConfigError(fmt::format("LayerNorm of {} columns does not fit {} accumulator rows of {} elements", x.cols,
                                  target.accumulator_rows, target.dim));
  }
  StoreConfig store;
  store.activation = affine ? isa::Activation::kLayerNormAffine : isa::Activation::kLayerNorm;
  store.scale = args.scale;
  store.pre_shift = args.pre_shift;
  store.wide_variance = args.wide_variance;
  // The accumulator is free and x is in memory.
  b.fence();
  if (affine) {
    const std::uint64_t first = target.accumulator_rows - affine_local_rows;
    b.load_config(LoadState::kB, {args.affine.stride, 1.0f, false});
    for (std::uint64_t r = 0; r < affine_local_rows; r += dim) {
      b.mvin(LoadState::kB, args.affine.at(r, 0), b.accumulator(first + r), dim, std::min(dim, affine_local_rows - r));
    }
    b.affine_row(static_cast<std::uint32_t>(first));
  }
  const std::uint64_t chunks = ceil_div(x.rows, chunking.rows);
  const std::uint64_t second = AccumulatorLayout::chunk_rows(target, x.cols, chunking.rows);
  const auto layout_of = [&](std::uint64_t n) {
    const std::uint64_t first_row = n * chunking.rows;
    return AccumulatorLayout::chunk(target, chunking.two && n % 2 == 1 ? second : 0,
                                    std::min(chunking.rows, x.rows - first_row), x.cols, chunking.rows);
  };
  ChunkLoader(b, x, layout_of(0), 0).load_until(1, 1);
  // The reservation station does not know that the output pass reads gamma and beta.
  if (affine) b.fence();
  for (std::uint64_t n = 0; n < chunks; ++n) {
    const std::uint64_t first_row = n * chunking.rows;
    const AccumulatorLayout layout = layout_of(n);
    const Matrix out = args.out.rows_from(first_row, layout.rows);
    const bool more = n + 1 < chunks;
    if (more && chunking.two) {
      ChunkLoader next(b, x, layout_of(n + 1), first_row + chunking.rows);
      normalise_rows(b, RowStatistics::kLayerNorm, layout, out, store, std::nullopt,
                     [&](std::uint64_t pair, std::uint64_t pairs) { next.load_until(pair + 1, pairs); });
    } else {
      normalise_rows(b, RowStatistics::kLayerNorm, layout, out, store);
      if (more) ChunkLoader(b, x, layout_of(n + 1), first_row + chunking.rows).load_until(1, 1);
    }
  }
}

}  // namespace systole::kernels
