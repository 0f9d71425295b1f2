#pragma once
// Softmax and LayerNorm of rows that lie in the accumulator: two passes of statistics, one of output, row by row with two rows
// in flight (one per statistics id), as the loop unroller issues them (LoopMatmul.scala).
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "kernels/builder.h"
#include "kernels/tensor.h"

namespace systole::kernels {

// Where a matrix lies in the accumulator. A store covers a group of column blocks that are `dim` local rows apart.
struct AccumulatorLayout {
  std::uint64_t base = 0;              // local row of (0, 0)
  std::uint64_t rows = 0;
  std::uint64_t cols = 0;
  std::uint64_t row_block_stride = 0;  // local rows from one block of `dim` matrix rows to the next
  std::uint64_t group_blocks = 1;      // column blocks of a group
  std::vector<std::uint64_t> group_offset;  // local rows from the first group to group g

  // As loop_ws leaves it: tile (i, j) at (i * j_tiles + j) * dim.
  [[nodiscard]] static AccumulatorLayout loop(const Target& target, std::uint64_t base, std::uint64_t rows, std::uint64_t cols);
  // At most `chunk` rows (a divisor of dim): groups share local rows, 16 / chunk of them side by side.
  [[nodiscard]] static AccumulatorLayout chunk(const Target& target, std::uint64_t base, std::uint64_t rows, std::uint64_t cols,
                                               std::uint64_t chunk);
  // Local rows of such a chunk.
  [[nodiscard]] static std::uint64_t chunk_rows(const Target& target, std::uint64_t cols, std::uint64_t chunk);

  [[nodiscard]] std::uint64_t row_of(std::uint64_t dim, std::uint64_t row, std::uint64_t group) const {
    return base + row / dim * row_block_stride + group_offset[group] + row % dim;
  }
  [[nodiscard]] std::uint64_t group_cols(std::uint64_t dim) const { return group_blocks * dim; }
};

enum class RowStatistics { kSoftmax, kLayerNorm };

// Writes all rows to `out` (int8). `store` names the activation of the output pass. With `row_scale_base` (E4) row r leaves
// 127 / sum in row-scale entry row_scale_base + r. `between` is called before each pair of rows with its index and their number:
// the place for other instructions that should overlap.
void normalise_rows(Builder& builder, RowStatistics statistics, const AccumulatorLayout& layout, const Matrix& out,
                    const StoreConfig& store, std::optional<std::uint32_t> row_scale_base = std::nullopt,
                    const std::function<void(std::uint64_t, std::uint64_t)>& between = {});

// The same for int32 rows in memory, a chunk of rows at a time, the next one loaded meanwhile. The last `reserved_rows` accumulator
// rows are left alone. Throws ConfigError when a single row does not fit.
void normalise_matrix(Builder& builder, RowStatistics statistics, const Matrix& x, const Matrix& out, const StoreConfig& store,
                      std::uint64_t reserved_rows, std::optional<std::uint32_t> row_scale_base = std::nullopt);

}  // namespace systole::kernels
