#pragma once
// The tiling that Gemmini's software library chooses (gemmini-rocc-tests, tiled_matmul_auto): start from a square of output
// tiles that fits half the accumulator, then grow J, I and K in turn while half of each memory holds them.
#include "kernels/target.h"
#include "kernels/tiling/tiling.h"

namespace systole::kernels {

// `whole_rows`: softmax and LayerNorm need all columns of a row in the accumulator at once.
// Throws ConfigError when a whole row does not fit half the accumulator.
[[nodiscard]] Tiling gemmini_tiling(const Target& target, const MatmulShape& shape, bool whole_rows = false);

// Local rows a loop occupies.
[[nodiscard]] std::uint64_t scratchpad_rows(const Target& target, const Tiling& t);
[[nodiscard]] std::uint64_t accumulator_rows(const Target& target, const Tiling& t);

}  // namespace systole::kernels
