#pragma once
// Integer constants of the machine's non-linear operations, computed in double from a real scale S (one unit of the
// integer operand) and truncated toward zero as C does. Polynomials: Kim et al., "I-BERT: Integer-only BERT
// Quantization", 2021.
#include <cstddef>
#include <cstdint>

#include "workloads/quantise/quantised_model.h"

namespace systole::workloads {

// sign(x) * (a * (min(|x|, -b) + b)^2 + 1) approximates erf.
struct GeluPolynomial {
  double a = -0.2888;  // I-BERT, section 3.4
  double b = -1.769;
};

struct GeluConstants {
  std::int32_t qb = 0;
  std::int32_t qc = 0;
  double out_scale = 0;  // negative: real value of one unit of the result
};
[[nodiscard]] GeluConstants gelu_constants(double scale, const GeluPolynomial& polynomial);
// True if |x| up to `largest` cannot wrap: the last product is at most 4 * largest / (|a| * S^3).
[[nodiscard]] bool gelu_fits(double scale, double largest, const GeluPolynomial& polynomial);

[[nodiscard]] ExpConstants exp_constants(double scale);
// Smallest S for which `keys` exponentials of 0 can be added in int32, and for which qln2 stays at most 8192.
[[nodiscard]] double smallest_exp_scale(std::size_t keys);

// Smallest S for which a row of n values with this standard deviation has a sum of squares in int32.
[[nodiscard]] double smallest_norm_scale(std::size_t n, double deviation);

// Smallest s in 0..31 with scale * 2^s >= smallest; 31 if there is none.
[[nodiscard]] int pre_shift_for(double scale, double smallest);

}  // namespace systole::workloads
