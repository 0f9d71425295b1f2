#include "kernels/normalise.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/errors.h"

namespace systole::kernels {
namespace {

using isa::NormCommand;

// Command of the mvouts of one pass: all but the row's last block, the row's last block.
struct Pass {
  NormCommand other;
  NormCommand last;
};

constexpr Pass kSoftmaxPasses[3] = {{NormCommand::kMax, NormCommand::kMax},
                                    {NormCommand::kSumExp, NormCommand::kInvSumExp},
                                    {NormCommand::kReset, NormCommand::kReset}};
constexpr Pass kLayerNormPasses[3] = {{NormCommand::kSum, NormCommand::kMean},
                                      {NormCommand::kVariance, NormCommand::kInvStddev},
                                      {NormCommand::kReset, NormCommand::kReset}};

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

void check_output(const AccumulatorLayout& layout, const Matrix& out) {
  SYSTOLE_CHECK(out.present() && out.rows == layout.rows && out.cols == layout.cols);
}

}  // namespace

AccumulatorLayout AccumulatorLayout::loop(const Target& target, std::uint64_t base, std::uint64_t rows, std::uint64_t cols) {
  const auto dim = static_cast<std::uint64_t>(target.dim);
  AccumulatorLayout l;
  l.base = base;
  l.rows = rows;
  l.cols = cols;
  l.row_block_stride = ceil_div(cols, dim) * dim;
  l.group_blocks = static_cast<std::uint64_t>(target.max_blocks());
  for (std::uint64_t c = 0; c < cols; c += l.group_blocks * dim) l.group_offset.push_back(c);
  return l;
}

std::uint64_t AccumulatorLayout::chunk_rows(const Target& target, std::uint64_t cols, std::uint64_t chunk) {
  const auto dim = static_cast<std::uint64_t>(target.dim);
  const auto blocks = static_cast<std::uint64_t>(target.max_blocks());
  const std::uint64_t groups = ceil_div(cols, blocks * dim);
  // A row of few columns needs no whole group.
  const std::uint64_t group_rows = std::min(blocks, ceil_div(cols, dim)) * dim;
  return ceil_div(groups, dim / chunk) * group_rows;
}

AccumulatorLayout AccumulatorLayout::chunk(const Target& target, std::uint64_t base, std::uint64_t rows, std::uint64_t cols,
                                           std::uint64_t chunk) {
  const auto dim = static_cast<std::uint64_t>(target.dim);
  SYSTOLE_CHECK(rows <= chunk && dim % chunk == 0);
  AccumulatorLayout l;
  l.base = base;
  l.rows = rows;
  l.cols = cols;
  l.row_block_stride = 0;  // one block only
  l.group_blocks = static_cast<std::uint64_t>(target.max_blocks());
  const std::uint64_t groups = ceil_div(cols, l.group_blocks * dim);
  const std::uint64_t side_by_side = dim / chunk;
  for (std::uint64_t g = 0; g < groups; ++g) {
    l.group_offset.push_back(g / side_by_side * l.group_blocks * dim + g % side_by_side * chunk);
  }
  return l;
}

void normalise_rows(Builder& b, RowStatistics statistics, const AccumulatorLayout& layout, const Matrix& out,
                    const StoreConfig& store, std::optional<std::uint32_t> row_scale_base,
                    const std::function<void(std::uint64_t, std::uint64_t)>& between) {
  check_output(layout, out);
  SYSTOLE_CHECK(out.element == Element::kInt8);
  const Pass* passes = statistics == RowStatistics::kSoftmax ? kSoftmaxPasses : kLayerNormPasses;
  StoreConfig config = store;
  config.stride = out.stride;
  const std::uint64_t dim = b.dim();
  const std::uint64_t width = layout.group_cols(dim);
  const std::uint64_t groups = layout.group_offset.size();
  const std::uint64_t pairs = ceil_div(layout.rows, 2);
  for (std::uint64_t pair = 0; pair < pairs; ++pair) {
    if (between) between(pair, pairs);
    b.store_config(config);
    const std::uint64_t first = pair * 2;
    const std::uint64_t last = std::min(first + 2, layout.rows);
    for (int pass = 0; pass < 3; ++pass) {
      for (std::uint64_t row = first; row < last; ++row) {
        b.stats_id(static_cast<int>(row - first));
        if (pass == 1 && row_scale_base) {
          // The hardware adds the local row modulo dim, of the store that ends the sum.
          const std::uint64_t local = layout.row_of(dim, row, groups - 1);
          b.row_scale_base(static_cast<std::uint32_t>(*row_scale_base + row + Target::kRowScales - local % dim) %
                           Target::kRowScales);
        }
        for (std::uint64_t g = 0; g < groups; ++g) {
          const std::uint64_t cols = std::min(width, layout.cols - g * width);
          const NormCommand command = g + 1 == groups ? passes[pass].last : passes[pass].other;
          b.mvout(out.at(row, g * width), b.accumulator(layout.row_of(dim, row, g), false, false, command), cols, 1);
        }
      }
    }
  }
}

void normalise_matrix(Builder& b, RowStatistics statistics, const Matrix& x, const Matrix& out, const StoreConfig& store,
                      std::uint64_t reserved_rows, std::optional<std::uint32_t> row_scale_base) {
  const Target& target = b.target();
  const Chunking chunking = choose_chunk(target, x.cols, target.accumulator_rows - reserved_rows);
  if (chunking.rows == 0) {
    throw ConfigError(fmt::format("a row of {} columns does not fit {} accumulator rows of {} elements{}", x.cols,
                                  target.accumulator_rows, target.dim,
                                  reserved_rows == 0 ? "" : fmt::format(", of which {} hold parameters", reserved_rows)));
  }
  const std::uint64_t chunks = ceil_div(x.rows, chunking.rows);
  const std::uint64_t second = AccumulatorLayout::chunk_rows(target, x.cols, chunking.rows);
  const auto layout_of = [&](std::uint64_t n) {
    const std::uint64_t first_row = n * chunking.rows;
    return AccumulatorLayout::chunk(target, chunking.two && n % 2 == 1 ? second : 0,
                                    std::min(chunking.rows, x.rows - first_row), x.cols, chunking.rows);
  };
  ChunkLoader(b, x, layout_of(0), 0).load_until(1, 1);
  // Parameters that the caller loaded are read by stores without the reservation station knowing.
  if (reserved_rows != 0) b.fence();
  for (std::uint64_t n = 0; n < chunks; ++n) {
    const std::uint64_t first_row = n * chunking.rows;
    const AccumulatorLayout layout = layout_of(n);
    const Matrix rows_out = out.rows_from(first_row, layout.rows);
    std::optional<std::uint32_t> entry;
    if (row_scale_base) entry = *row_scale_base + static_cast<std::uint32_t>(first_row);
    const bool more = n + 1 < chunks;
    if (more && chunking.two) {
      ChunkLoader next(b, x, layout_of(n + 1), first_row + chunking.rows);
      normalise_rows(b, statistics, layout, rows_out, store, entry,
                     [&](std::uint64_t pair, std::uint64_t pairs) { next.load_until(pair + 1, pairs); });
    } else {
      normalise_rows(b, statistics, layout, rows_out, store, entry);
      if (more) ChunkLoader(b, x, layout_of(n + 1), first_row + chunking.rows).load_until(1, 1);
    }
  }
}

}  // namespace systole::kernels
