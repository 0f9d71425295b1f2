#pragma once
// Values of the special-function unit: scaling, rounding, activation functions and the integer statistics of softmax and LayerNorm.
// Every operation is a 32-bit wrapping integer operation or one IEEE single operation (Activation: AccumulatorScale.scala; statistics:
// Normalizer.scala; rounding and saturation: Configs.scala).
#include <cstdint>

#include "hw/ports/row.h"

namespace systole::hw {

// Overflows that a program ran into; a calibrated model has none.
struct OverflowCounters {
  std::uint64_t gelu = 0;
  std::uint64_t exp_sum = 0;
  std::uint64_t variance = 0;
};

// Row statistics as they accompany a row to the scaling unit.
struct RowStatistics {
  std::int32_t mean = 0;
  std::int32_t max = 0;
  float inv_stddev = 0;    // already times the accumulator scale
  float inv_sum_exp = 0;   // already times the accumulator scale
};

[[nodiscard]] float float_of_bits(std::uint32_t bits);

// fp32(x) * scale, rounded half to even, saturated to int8 (to int32).
[[nodiscard]] std::int8_t scale_to_int8(std::int32_t x, float scale);
[[nodiscard]] std::int32_t scale_to_int32(std::int32_t x, float scale);

// Rounding arithmetic right shift, half to even (extension E1; Arithmetic.scala >>).
[[nodiscard]] std::int32_t rounding_shift(std::int32_t x, int shift);

[[nodiscard]] std::int32_t igelu(std::int32_t q, std::int32_t qb, std::int32_t qc, std::uint64_t& overflows);
[[nodiscard]] std::int32_t iexp(std::int32_t q, const StoreConstants& constants);

// Activations whose operand is shifted by constants.pre_shift.
[[nodiscard]] bool takes_pre_shift(isa::Activation activation);

// What the reduction lanes add for a row: elements, squared differences from the mean, or exponentials.
[[nodiscard]] std::int64_t lane_sum(const std::int32_t* row, int len, isa::NormCommand command, const RowStatistics& stats,
                                    const StoreConstants& constants, bool iexp_as_igelu, OverflowCounters& overflows);
// fp32 standard deviation of a variance; 0 counts as 1. Stock: the 16-bit integer root, read as a signed number (roots above 32767 come from
// wrapped sums only); wide (extension E5): the root in fp32.
[[nodiscard]] float row_deviation(std::int64_t variance, bool wide);
// 127 / fp32(sum): softmax is scaled to the largest int8.
[[nodiscard]] float softmax_reciprocal(std::int64_t sum);
[[nodiscard]] std::int32_t lane_max(const std::int32_t* row, int len);

// Scales a whole row of `dim` words to int8. row_scale: extension E4's factor of the row; gain, bias: extension E3's rows.
struct AffineOperands {
  const float* gain = nullptr;
  const float* bias = nullptr;
};
void activate_row(const std::int32_t* row, int dim, const StoreConstants& constants, const RowStatistics& stats, float row_scale,
                  const AffineOperands& affine, bool normaliser, bool iexp_as_igelu, std::int8_t* out, OverflowCounters& overflows);

}  // namespace systole::hw
