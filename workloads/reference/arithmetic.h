#pragma once
// The integer arithmetic of the machine's read-out path, element by element and row by row, as an oracle for values. It
// shares no code with the simulator. Integers wrap to 32 bits; fp32 operations round to nearest even, one at a time,
// never fused. Sources: Gemmini's AccumulatorScale.scala, Normalizer.scala and Arithmetic.scala (v0.7.2); extensions as
// named.
#include <cstddef>
#include <cstdint>

namespace systole::workloads::reference {

// How often a value did not fit. A calibrated model has none; each names the operation whose constants are wrong.
struct OverflowCounters {
  std::uint64_t mac = 0;       // accumulator words
  std::uint64_t gelu = 0;      // elements
  std::uint64_t sum_exp = 0;   // rows
  std::uint64_t variance = 0;  // rows

  [[nodiscard]] std::uint64_t total() const { return mac + gelu + sum_exp + variance; }
};

struct ExpParameters {
  std::int32_t qb = 0;
  std::int32_t qc = 0;
  std::int32_t qln2 = 0;
  std::int32_t qln2_inv = 0;
};

// fp32(x) * scale, rounded, saturated. NaN counts as the largest value.
[[nodiscard]] std::int8_t scale8(std::int32_t x, float scale);
[[nodiscard]] std::int32_t scale32(std::int32_t x, float scale);
void scale8(const std::int32_t* x, std::size_t count, float scale, std::int8_t* y);

// Arithmetic right shift that rounds half to even; shift in 0..31.
[[nodiscard]] std::int32_t rounding_shift(std::int32_t x, int shift);

// Second-order polynomial GELU of I-BERT (Kim et al. 2021, algorithm 2), with wrapping products.
[[nodiscard]] std::int32_t integer_gelu(std::int32_t q, std::int32_t qb, std::int32_t qc, OverflowCounters& overflows);
// Exponential of q <= 0 (I-BERT algorithm 3) as v0.7.2 computes it.
[[nodiscard]] std::int32_t integer_exp(std::int32_t q, const ExpParameters& c);

// y = scale8(gelu(x >> pre_shift), scale)
void gelu8(const std::int32_t* x, std::size_t count, int pre_shift, std::int32_t qb, std::int32_t qc, float scale,
           std::int8_t* y, OverflowCounters& overflows);
// y = scale8(max(x, 0), scale)
void relu8(const std::int32_t* x, std::size_t count, float scale, std::int8_t* y);

enum class ExpReadout {
  Softmax,       // scale8(e, 127/sum * scale)
  Exponentials,  // scale8(e, scale): the division by the sum is left to the reader of the next product
};
// One row. Returns the wrapped sum of the unrounded exponentials.
std::int32_t exp_row(const std::int32_t* x, std::size_t count, int pre_shift, const ExpParameters& c,
                     ExpReadout readout, float scale, std::int8_t* y, OverflowCounters& overflows);
// y = scale8(x, 127/row_sum * scale)
void row_scale8(const std::int32_t* x, std::size_t count, std::int32_t row_sum, float scale, std::int8_t* y);

struct NormParameters {
  int pre_shift = 0;
  bool wide = false;  // 64-bit sums and fp32 root instead of 32-bit sums and integer root
  float scale = 0;
  const float* gamma = nullptr;  // both null: plain (x - mean)/sd * scale
  const float* beta = nullptr;
};
// One row of LayerNorm.
void norm_row(const std::int32_t* x, std::size_t count, const NormParameters& parameters, std::int8_t* y,
              OverflowCounters& overflows);

}  // namespace systole::workloads::reference
