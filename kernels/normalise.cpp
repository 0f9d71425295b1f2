#include "kernels/normalise.h"

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
        if (pass == 1 && row_scale_base) b.row_scale_base(*row_scale_base + static_cast<std::uint32_t>(row));
        for (std::uint64_t g = 0; g < groups; ++g) {
          const std::uint64_t cols = std::min(width, layout.cols - g * width);
          const NormCommand command = g + 1 == groups ? passes[pass].last : passes[pass].other;
          b.mvout(out.at(row, g * width), b.accumulator(layout.row_of(dim, row, g), false, false, command), cols, 1);
        }
      }
    }
  }
}

void store_rows(Builder& b, const AccumulatorLayout& layout, const Matrix& out, const StoreConfig& store,
                std::optional<std::uint32_t> row_scale_base) {
  check_output(layout, out);
  const bool full = out.element == Element::kInt32;
  StoreConfig config = store;
  config.stride = out.stride;
  if (full) config.activation = isa::Activation::kNone;
  b.store_config(config);
  const std::uint64_t dim = b.dim();
  const std::uint64_t width = layout.group_cols(dim);
  // A full-width store takes one column block (StoreController.scala).
  const std::uint64_t step = full ? dim : width;
  for (std::uint64_t row = 0; row < layout.rows; row += dim) {
    const std::uint64_t rows = std::min(dim, layout.rows - row);
    if (row_scale_base) b.row_scale_base(*row_scale_base + static_cast<std::uint32_t>(row));
    for (std::uint64_t c = 0; c < layout.cols; c += step) {
      const std::uint64_t local = layout.row_of(dim, row, c / width) + c % width;
      b.mvout(out.at(row, c), b.accumulator(local, false, full), std::min(step, layout.cols - c), rows);
    }
  }
}

}  // namespace systole::kernels
