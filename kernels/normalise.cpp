#include "kernels/normalise.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <vector>

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

// How a chunk of at most `rows` matrix rows (a divisor of dim) lies in the accumulator. A store covers a group of column blocks
// that are dim local rows apart; dim / rows groups share these local rows side by side.
class ChunkShape {
 public:
  ChunkShape(const Target& target, std::uint64_t cols, std::uint64_t rows)
      : dim_(static_cast<std::uint64_t>(target.dim)),
        rows_(rows),
        cols_(cols),
        group_cols_(static_cast<std::uint64_t>(target.max_blocks()) * dim_) {}

  [[nodiscard]] std::uint64_t rows() const { return rows_; }
  [[nodiscard]] std::uint64_t cols() const { return cols_; }
  [[nodiscard]] std::uint64_t group_cols() const { return group_cols_; }
  [[nodiscard]] std::uint64_t groups() const { return ceil_div(cols_, group_cols_); }
  // Local rows of the whole chunk. A row of few columns needs no whole group.
  [[nodiscard]] std::uint64_t local_rows() const {
    return ceil_div(groups(), dim_ / rows_) * std::min(group_cols_, round_up(cols_, dim_));
  }
  // Local row of (row, col) within the chunk; col on a block boundary.
  [[nodiscard]] std::uint64_t local(std::uint64_t row, std::uint64_t col) const {
    const std::uint64_t group = col / group_cols_, side_by_side = dim_ / rows_;
    return group / side_by_side * group_cols_ + group % side_by_side * rows_ + col % group_cols_ + row;
  }

 private:
  std::uint64_t dim_, rows_, cols_, group_cols_;
};

// A chunk in work: matrix rows `first` .. `first + count`, from local row `base`.
struct Chunk {
  std::uint64_t first = 0, count = 0, base = 0;
};

// Loads a chunk in parts.
class ChunkLoader {
 public:
  ChunkLoader(Builder& builder, const Matrix& x, float scale, const ChunkShape& shape, const Chunk& chunk)
      : b_(builder), x_(x), config_{x.stride, scale, x.element == Element::kInt8}, shape_(shape), chunk_(chunk),
        step_(static_cast<std::uint64_t>(config_.shrink ? builder.target().max_blocks() : builder.target().max_blocks_acc()) *
              builder.dim()) {}

  // Until `share` of `shares` parts are on their way.
  void load_until(std::uint64_t share, std::uint64_t shares) {
    const std::uint64_t end = ceil_div(ceil_div(x_.cols, step_) * share, shares);
    if (next_ >= end) return;
    b_.load_config(LoadState::kA, config_);
    for (; next_ < end; ++next_) {
      const std::uint64_t col = next_ * step_;
      b_.mvin(LoadState::kA, x_.at(chunk_.first, col), b_.accumulator(chunk_.base + shape_.local(0, col)),
              std::min(step_, x_.cols - col), chunk_.count);
    }
  }

 private:
  Builder& b_;
  const Matrix& x_;
  LoadConfig config_;
  const ChunkShape& shape_;
  Chunk chunk_;
  std::uint64_t step_;
  std::uint64_t next_ = 0;
};

// The three passes over every row. `between` is called before each pass over a row with the part of the work that it completes:
// the place for other instructions that should overlap. Often, because commands enter the reservation station in order and a
// group of loads would keep the stores behind it waiting.
void normalise_chunk(Builder& b, RowStatistics statistics, const ChunkShape& shape, const Chunk& chunk, const Matrix& out,
                     const StoreConfig& store, std::optional<std::uint32_t> row_scale_base,
                     const std::function<void(std::uint64_t, std::uint64_t)>& between) {
  const Pass* passes = statistics == RowStatistics::kSoftmax ? kSoftmaxPasses : kLayerNormPasses;
  const std::uint64_t width = shape.group_cols();
  const std::uint64_t pairs = ceil_div(chunk.count, 2);
  std::uint64_t done = 0;
  for (std::uint64_t pair = 0; pair < pairs; ++pair) {
    b.store_config(store);
    const std::uint64_t first = pair * 2;
    const std::uint64_t end = std::min(first + 2, chunk.count);
    for (int pass = 0; pass < 3; ++pass) {
      for (std::uint64_t row = first; row < end; ++row) {
        between(++done, 3 * chunk.count);
        b.stats_id(static_cast<int>(row - first));
        if (pass == 1 && row_scale_base) {
          // The hardware adds the local row modulo dim, of the store that ends the sum.
          const std::uint64_t local = chunk.base + shape.local(row, (shape.groups() - 1) * width);
          b.row_scale_base(static_cast<std::uint32_t>(*row_scale_base + chunk.first + row + Target::kRowScales - local % b.dim()) %
                           Target::kRowScales);
        }
        for (std::uint64_t col = 0; col < shape.cols(); col += width) {
          const NormCommand command = col + width >= shape.cols() ? passes[pass].last : passes[pass].other;
          b.mvout(out.at(chunk.first + row, col), b.accumulator(chunk.base + shape.local(row, col), false, false, command),
                  std::min(width, shape.cols() - col), 1);
        }
      }
    }
  }
}

// The largest chunk of which two fit, so that one is loaded while the other is normalised; else the largest that fits.
struct Choice {
  std::optional<ChunkShape> shape;
  bool two = false;
};

Choice choose_chunk(const Target& target, std::uint64_t cols, std::uint64_t available) {
  Choice single;
  for (auto rows = static_cast<std::uint64_t>(target.dim); rows >= 1; rows /= 2) {
    const ChunkShape shape(target, cols, rows);
    if (2 * shape.local_rows() <= available) return {shape, true};
    if (!single.shape && shape.local_rows() <= available) single.shape = shape;
  }
  return single;
}

}  // namespace

void normalise_matrix(Builder& b, RowStatistics statistics, const Matrix& x, const Matrix& out, const StoreConfig& store,
                      std::uint64_t reserved_rows, std::optional<std::uint32_t> row_scale_base, float x_scale) {
  SYSTOLE_CHECK((x.element == Element::kInt32 || x.element == Element::kInt8) && out.element == Element::kInt8 && x.rows == out.rows && x.cols == out.cols);
  const Target& target = b.target();
  SYSTOLE_CHECK(reserved_rows <= target.accumulator_rows);
  const Choice choice = choose_chunk(target, x.cols, target.accumulator_rows - reserved_rows);
  if (!choice.shape) {
    throw ConfigError(fmt::format("a row of {} columns does not fit {} accumulator rows of {} elements{}", x.cols,
                                  target.accumulator_rows, target.dim,
                                  reserved_rows == 0 ? "" : fmt::format(", of which {} hold parameters", reserved_rows)));
  }
  const ChunkShape& shape = *choice.shape;
  StoreConfig config = store;
  config.stride = out.stride;
  const std::uint64_t chunks = ceil_div(x.rows, shape.rows());
  const auto chunk_at = [&](std::uint64_t n) {
    const std::uint64_t first = n * shape.rows();
    return Chunk{first, std::min(shape.rows(), x.rows - first), choice.two && n % 2 == 1 ? shape.local_rows() : 0};
  };
  ChunkLoader(b, x, x_scale, shape, chunk_at(0)).load_until(1, 1);
  // Parameters that the caller loaded are read by stores without the reservation station knowing.
  if (reserved_rows != 0) b.fence();
  for (std::uint64_t n = 0; n < chunks; ++n) {
    std::optional<ChunkLoader> next;
    if (n + 1 < chunks) next.emplace(b, x, x_scale, shape, chunk_at(n + 1));
    normalise_chunk(b, statistics, shape, chunk_at(n), out, config, row_scale_base, [&](std::uint64_t part, std::uint64_t parts) {
      if (next && choice.two) next->load_until(part, parts);
    });
    if (next && !choice.two) next->load_until(1, 1);
  }
}

}  // namespace systole::kernels
