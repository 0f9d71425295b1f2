#include "isa/model/arithmetic.h"

#include <cmath>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace systole::isa::model {

// Clipping is as likely as not, so branches would be mispredicted.
void scale_row(const std::int32_t* x, int count, float scale, std::int8_t* out) {
  int i = 0;
#ifdef __SSE2__
  const __m128 factor = _mm_set1_ps(scale);
  const __m128 top = _mm_set1_ps(127.0f), bottom = _mm_set1_ps(-128.0f), round = _mm_set1_ps(12582912.0f);
  for (; i + 4 <= count; i += 4) {
    __m128 y = _mm_mul_ps(_mm_cvtepi32_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i))), factor);
    y = _mm_max_ps(_mm_min_ps(y, top), bottom);   // the second operand when the first is NaN
    const __m128i words = _mm_cvttps_epi32(_mm_sub_ps(_mm_add_ps(y, round), round));
    const __m128i bytes = _mm_packs_epi16(_mm_packs_epi32(words, words), words);
    const int four = _mm_cvtsi128_si32(bytes);
    std::memcpy(out + i, &four, 4);
  }
#endif
  for (; i < count; ++i) out[i] = scale_to_int8(x[i], scale);
}

std::int32_t igelu(std::int32_t q, std::int32_t qb, std::int32_t qc, bool& wrapped) {
  const auto low = [&wrapped](std::int64_t exact) {
    wrapped = wrapped || !fits32(exact);
    return static_cast<std::int64_t>(wrap32(exact));
  };
  const std::int64_t sign = q < 0 ? -1 : 1;
  const std::int64_t magnitude = low(sign * q);
  const std::int64_t limit = wrap32(-static_cast<std::int64_t>(qb));
  const std::int64_t clipped = magnitude < limit ? magnitude : limit;
  const std::int64_t shifted = low(clipped + qb);
  const std::int64_t polynomial = low(shifted * shifted + qc);
  const std::int64_t erf = low(sign * polynomial);
  return static_cast<std::int32_t>(low(q * low(erf + qc)));
}

std::int32_t iexp(std::int32_t q, const ExpConstants& constants) {
  // The number of halvings: bits 47..16 of the 64-bit product. More than 31 of them leave nothing.
  const std::int64_t product = static_cast<std::int64_t>(wrap32(-static_cast<std::int64_t>(q))) * constants.qln2_inv;
  const auto halvings = static_cast<std::uint32_t>(static_cast<std::uint64_t>(product) >> 16);
  constexpr std::uint32_t kTooMany = 0xFFE0;  // the RTL looks at bits 5..15 only
  if ((halvings & kTooMany) != 0) return 0;
  const std::uint32_t remainder = static_cast<std::uint32_t>(q) + halvings * static_cast<std::uint32_t>(constants.qln2);
  const std::uint32_t shifted = remainder + static_cast<std::uint32_t>(constants.qb);
  const std::uint32_t polynomial = shifted * shifted + static_cast<std::uint32_t>(constants.qc);
  return halvings >= 32 ? 0 : static_cast<std::int32_t>(polynomial >> halvings);
}

std::uint32_t integer_sqrt(std::uint32_t value) {
  // A double holds every 32-bit number and its root to well below one unit.
  auto root = static_cast<std::uint32_t>(std::sqrt(static_cast<double>(value)));
  while (static_cast<std::uint64_t>(root) * root > value) --root;
  while (static_cast<std::uint64_t>(root + 1) * (root + 1) <= value) ++root;
  return root;
}

}  // namespace systole::isa::model
