#pragma once
// Softmax and LayerNorm of int32 rows in memory: two passes of statistics and one of output over each row in the accumulator, two rows
// in flight (one per statistics id), as the loop unroller issues them (LoopMatmul.scala).
#include <cstdint>
#include <optional>

#include "kernels/builder.h"
#include "kernels/tensor.h"

namespace systole::kernels {

enum class RowStatistics { kSoftmax, kLayerNorm };

// Writes the rows of x (int32, or int8; each times `x_scale` on its way into the accumulator, E2) to `out` (int8), a chunk of rows at a time, the next one loaded meanwhile. `store` names the
// activation of the output pass. The last `reserved_rows` accumulator rows are left alone. With `row_scale_base` (E4) row r leaves
// 127 / sum in row-scale entry row_scale_base + r. Throws ConfigError when a single row does not fit.
void normalise_matrix(Builder& builder, RowStatistics statistics, const Matrix& x, const Matrix& out, const StoreConfig& store,
                      std::uint64_t reserved_rows, std::optional<std::uint32_t> row_scale_base = std::nullopt, float x_scale = 1.0f);

}  // namespace systole::kernels
