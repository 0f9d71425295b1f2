#include "isa/model/arithmetic.h"

#include <cmath>

namespace systole::isa::model {

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
