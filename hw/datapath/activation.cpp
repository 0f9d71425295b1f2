#include "hw/datapath/activation.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "sim/base/errors.h"

namespace systole::hw {
namespace {

std::int32_t low32(std::int64_t x) { return static_cast<std::int32_t>(static_cast<std::uint64_t>(x)); }
std::int32_t low32u(std::uint64_t x) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(x)); }
std::int32_t add(std::int32_t a, std::int32_t b) { return low32u(static_cast<std::uint64_t>(static_cast<std::uint32_t>(a)) + static_cast<std::uint32_t>(b)); }
std::int32_t sub(std::int32_t a, std::int32_t b) { return low32u(static_cast<std::uint64_t>(static_cast<std::uint32_t>(a)) - static_cast<std::uint32_t>(b)); }
std::int32_t mul(std::int32_t a, std::int32_t b) { return low32(static_cast<std::int64_t>(a) * b); }

// Round to nearest even and saturate; NaN and +infinity become the largest integer (HardFloat RecFNToIN).
std::int32_t to_int32(float y) {
  if (std::isnan(y) || y >= 2147483648.0f) return std::numeric_limits<std::int32_t>::max();
  if (y <= -2147483648.0f) return std::numeric_limits<std::int32_t>::min();
  return static_cast<std::int32_t>(std::nearbyintf(y));
}

std::int8_t clip8(std::int32_t i) { return static_cast<std::int8_t>(std::clamp(i, -128, 127)); }

std::uint32_t integer_root(std::uint32_t x) {
  auto root = static_cast<std::uint64_t>(std::sqrt(static_cast<double>(x)));
  while (root * root > x) --root;
  while ((root + 1) * (root + 1) <= x) ++root;
  return static_cast<std::uint32_t>(root);
}

std::int32_t exponential(std::int32_t q, const StoreConstants& c, bool as_igelu, std::uint64_t& overflows) {
  return as_igelu ? igelu(q, c.qb, c.qc, overflows) : iexp(q, c);
}

}  // namespace

float float_of_bits(std::uint32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

std::int8_t scale_to_int8(std::int32_t x, float scale) { return clip8(to_int32(static_cast<float>(x) * scale)); }
std::int32_t scale_to_int32(std::int32_t x, float scale) { return to_int32(static_cast<float>(x) * scale); }

std::int32_t rounding_shift(std::int32_t x, int shift) {
  if (shift == 0) return x;
  const std::int32_t half = (x >> (shift - 1)) & 1;
  const std::int32_t sticky = (static_cast<std::uint32_t>(x) & ((1u << (shift - 1)) - 1u)) != 0 ? 1 : 0;
  const std::int32_t odd = (x >> shift) & 1;
  return (x >> shift) + (half & (sticky | odd));
}

std::int32_t igelu(std::int32_t q, std::int32_t qb, std::int32_t qc, std::uint64_t& overflows) {
  const std::int32_t magnitude = q < 0 ? sub(0, q) : q;
  const std::int32_t limit = sub(0, qb);
  const std::int32_t clipped = std::min(magnitude, limit);
  const std::int32_t base = add(clipped, qb);
  const std::int32_t polynomial = add(mul(base, base), qc);
  const std::int32_t erf = q < 0 ? sub(0, polynomial) : polynomial;
  const std::int32_t factor = add(erf, qc);
  const std::int64_t exact = static_cast<std::int64_t>(q) * factor;
  const std::int32_t result = low32(exact);
  if (result != exact) ++overflows;
  return result;
}

std::int32_t iexp(std::int32_t q, const StoreConstants& c) {
  // z = bits 47..16 of the 64-bit product; a shift of 32 or more (any of the bits 15..5 set) gives 0.
  const std::int32_t negated = sub(0, q);
  const auto product = static_cast<std::uint64_t>(static_cast<std::int64_t>(negated) * c.qln2_inv);
  const auto z = static_cast<std::uint32_t>(product >> 16);
  const std::uint32_t shift = (z & 0xFFE0u) != 0 ? 32u : z;
  const std::int32_t p = add(q, mul(static_cast<std::int32_t>(z), c.qln2));
  const std::int32_t base = add(p, c.qb);
  const auto r = static_cast<std::uint32_t>(add(mul(base, base), c.qc));
  return shift >= 32 ? 0 : static_cast<std::int32_t>(r >> shift);
}

bool takes_pre_shift(isa::Activation activation) {
  switch (activation) {
    case isa::Activation::kNone:
    case isa::Activation::kRelu:
    case isa::Activation::kRowScale: return false;
    case isa::Activation::kLayerNorm:
    case isa::Activation::kIgelu:
    case isa::Activation::kSoftmax:
    case isa::Activation::kExp:
    case isa::Activation::kLayerNormAffine: return true;
  }
  SYSTOLE_CHECK(false);
  return false;
}

std::int64_t lane_sum(const std::int32_t* row, int len, isa::NormCommand command, const RowStatistics& stats,
                      const StoreConstants& constants, bool iexp_as_igelu, OverflowCounters& overflows) {
  std::int64_t sum = 0;
  switch (command) {
    case isa::NormCommand::kSum:
    case isa::NormCommand::kMean:
      for (int i = 0; i < len; ++i) sum += row[i];
      return sum;
    case isa::NormCommand::kVariance:
    case isa::NormCommand::kInvStddev:
      for (int i = 0; i < len; ++i) {
        if (constants.wide_variance) {
          const std::int64_t d = static_cast<std::int64_t>(row[i]) - stats.mean;
          sum += d * d;
        } else {
          const std::int64_t wide = static_cast<std::int64_t>(row[i]) - stats.mean;
          const std::int32_t d = low32(wide);
          const std::int64_t square = static_cast<std::int64_t>(d) * d;
          if (d != wide || low32(square) != square) ++overflows.variance;
          sum += low32(square);
        }
      }
      return sum;
    case isa::NormCommand::kSumExp:
    case isa::NormCommand::kInvSumExp:
      for (int i = 0; i < len; ++i) sum += exponential(sub(row[i], stats.max), constants, iexp_as_igelu, overflows.exp_sum);
      return sum;
    case isa::NormCommand::kReset:
    case isa::NormCommand::kMax: break;
  }
  SYSTOLE_CHECK(false);
  return 0;
}

float row_deviation(std::int64_t variance, bool wide) {
  if (wide) return variance == 0 ? 1.0f : std::sqrt(static_cast<float>(variance));
  const auto root = static_cast<std::int16_t>(integer_root(static_cast<std::uint32_t>(variance)));
  return root == 0 ? 1.0f : static_cast<float>(root);
}

float softmax_reciprocal(std::int64_t sum) {
  constexpr float kLargest = 127.0f;   // Normalizer.scala
  return kLargest / static_cast<float>(low32(sum));
}

std::int32_t lane_max(const std::int32_t* row, int len) {
  return len == 0 ? std::numeric_limits<std::int32_t>::min() : *std::max_element(row, row + len);
}

void activate_row(const std::int32_t* row, int dim, const StoreConstants& c, const RowStatistics& stats, float row_scale,
                  const AffineOperands& affine, bool normaliser, bool iexp_as_igelu, std::int8_t* out, OverflowCounters& overflows) {
  const float scale = float_of_bits(c.scale);
  // Without the normaliser only ReLU exists; the other codes leave the row as it is (AccumulatorScale.scala).
  const isa::Activation activation = normaliser || c.activation == isa::Activation::kRelu ? c.activation : isa::Activation::kNone;
  switch (activation) {
    case isa::Activation::kNone:
      for (int i = 0; i < dim; ++i) out[i] = scale_to_int8(row[i], scale);
      return;
    case isa::Activation::kRelu:
      for (int i = 0; i < dim; ++i) out[i] = scale_to_int8(std::max(row[i], 0), scale);
      return;
    case isa::Activation::kLayerNorm:
      for (int i = 0; i < dim; ++i) out[i] = scale_to_int8(sub(row[i], stats.mean), stats.inv_stddev);
      return;
    case isa::Activation::kIgelu:
      for (int i = 0; i < dim; ++i) out[i] = scale_to_int8(igelu(row[i], c.qb, c.qc, overflows.gelu), scale);
      return;
    case isa::Activation::kSoftmax:
      for (int i = 0; i < dim; ++i) {
        out[i] = scale_to_int8(exponential(sub(row[i], stats.max), c, iexp_as_igelu, overflows.exp_sum), stats.inv_sum_exp);
      }
      return;
    case isa::Activation::kExp:
      for (int i = 0; i < dim; ++i) out[i] = scale_to_int8(exponential(sub(row[i], stats.max), c, iexp_as_igelu, overflows.exp_sum), scale);
      return;
    case isa::Activation::kRowScale: {
      const float factor = row_scale * scale;
      for (int i = 0; i < dim; ++i) out[i] = scale_to_int8(row[i], factor);
      return;
    }
    case isa::Activation::kLayerNormAffine:
      for (int i = 0; i < dim; ++i) {
        const float t = static_cast<float>(sub(row[i], stats.mean)) * stats.inv_stddev;
        const float u = t * affine.gain[i];
        const float v = u + affine.bias[i];
        out[i] = clip8(to_int32(v));
      }
      return;
  }
  SYSTOLE_CHECK(false);
}

}  // namespace systole::hw
