#pragma once
// The machine's scalar arithmetic: two's complement that wraps, and single IEEE operations, round to nearest even.
#include <cstdint>
#include <limits>

namespace systole::isa::model {

// The low 32 bits as a signed number.
[[nodiscard]] constexpr std::int32_t wrap32(std::int64_t value) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
}
[[nodiscard]] constexpr bool fits32(std::int64_t value) { return value == wrap32(value); }

// The low `bits` bits as a signed number.
[[nodiscard]] constexpr std::int32_t wrap_to(std::int32_t value, int bits) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(value) << (32 - bits)) >> (32 - bits);
}

// Arithmetic shift right by 0..31, round half to even (Arithmetic.scala, >> of SInt).
[[nodiscard]] constexpr std::int32_t shift_right_rounded(std::int32_t value, int shift) {
  if (shift == 0) return value;
  const std::int32_t quotient = value >> shift;
  const std::uint32_t bits = static_cast<std::uint32_t>(value);
  const bool half = ((bits >> (shift - 1)) & 1u) != 0;
  const bool below = (bits & ((std::uint32_t{1} << (shift - 1)) - 1u)) != 0;
  return quotient + (half && (below || (quotient & 1) != 0) ? 1 : 0);
}

// y rounded and clipped to int8; NaN counts as +infinity. The limits are whole numbers, so clipping first gives the
// same result, and below 2^22 adding 1.5 * 2^23 rounds to nearest even.
[[nodiscard]] inline std::int8_t round_to_int8(float y) {
  constexpr float kRound = 12582912.0f;
  y = y < 127.0f ? y : 127.0f;
  y = y > -128.0f ? y : -128.0f;
  return static_cast<std::int8_t>(static_cast<std::int32_t>((y + kRound) - kRound));
}

// The same for int32; in double, 1.5 * 2^52 rounds to nearest even.
[[nodiscard]] inline std::int32_t round_to_int32(float y) {
  constexpr double kRound = 6755399441055744.0;
  constexpr double kMax = std::numeric_limits<std::int32_t>::max();
  constexpr double kMin = std::numeric_limits<std::int32_t>::min();
  double value = y;
  value = value < kMax ? value : kMax;
  value = value > kMin ? value : kMin;
  return static_cast<std::int32_t>((value + kRound) - kRound);
}

// int8 read-out: fp32(x) * scale, rounded and clipped (Configs.scala, scale functions of the int8 configurations).
[[nodiscard]] inline std::int8_t scale_to_int8(std::int32_t x, float scale) {
  return round_to_int8(static_cast<float>(x) * scale);
}
// A row of them.
void scale_row(const std::int32_t* x, int count, float scale, std::int8_t* out);
[[nodiscard]] inline std::int32_t scale_to_int32(std::int32_t x, float scale) {
  return round_to_int32(static_cast<float>(x) * scale);
}

// I-BERT GELU polynomial with integer constants (AccumulatorScale.scala). `wrapped` is set when a step leaves 32 bits.
[[nodiscard]] std::int32_t igelu(std::int32_t q, std::int32_t qb, std::int32_t qc, bool& wrapped);

// I-BERT exponential of q <= 0 (AccumulatorScale.scala of v0.7.2).
struct ExpConstants {
  std::int32_t qb = 0;
  std::int32_t qc = 0;
  std::int32_t qln2 = 0;
  std::int32_t qln2_inv = 0;
};
[[nodiscard]] std::int32_t iexp(std::int32_t q, const ExpConstants& constants);

// Whole part of the square root.
[[nodiscard]] std::uint32_t integer_sqrt(std::uint32_t value);

}  // namespace systole::isa::model
