#pragma once
// A bias as part of the product: rows added to B that meet constant columns added to A. It leaves the loop's D operand free for a
// residual, so that a product with bias and residual is an ordinary sequence of loops.
#include <cstdint>
#include <optional>
#include <vector>

namespace systole::kernels {

// sum over r of constants[r] * rows[r][column] == bias[column], exactly.
struct BiasRows {
  std::vector<std::int8_t> constants;  // 1, 127, 127, ...: independent of the bias
  std::vector<std::int8_t> rows;       // [constants.size()][columns]
};

// Constant columns that a bias of this size needs.
[[nodiscard]] std::uint64_t bias_rows_needed(const std::vector<std::int32_t>& bias);
[[nodiscard]] std::vector<std::int8_t> bias_constants(std::uint64_t count);
// `count` at least bias_rows_needed(bias); rows that are not needed are 0.
[[nodiscard]] BiasRows make_bias_rows(const std::vector<std::int32_t>& bias, std::uint64_t count);

}  // namespace systole::kernels
