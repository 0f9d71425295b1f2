#pragma once
// Widening of the two 16-bit floating-point formats; exact.
#include <cstdint>
#include <cstring>

namespace systole::workloads {

[[nodiscard]] inline float float_of_bits(std::uint32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// bfloat16 is the upper half of a binary32.
[[nodiscard]] inline float float_of_bfloat16(std::uint16_t bits) {
  return float_of_bits(static_cast<std::uint32_t>(bits) << 16);
}

// IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits.
[[nodiscard]] inline float float_of_half(std::uint16_t bits) {
  constexpr float kSubnormalUnit = 1.0F / 16777216.0F;  // 2^-24
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1FU;
  const std::uint32_t fraction = bits & 0x3FFU;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * kSubnormalUnit;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide_exponent = exponent == 31 ? 255 : exponent + (127 - 15);
  return float_of_bits(sign | wide_exponent << 23 | fraction << 13);
}

}  // namespace systole::workloads
