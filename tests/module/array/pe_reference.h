#pragma once
// The array as the RTL builds it, one processing element at a time and one row of operands after the other (PE.scala, Mesh.scala,
// Transposer.scala). Slow and obvious; it knows nothing of requests.
#include <algorithm>
#include <cstdint>
#include <vector>

namespace systole::hw {

class PeReference {
 public:
  using Row = std::vector<std::int8_t>;

  PeReference(int dim, int output_bits)
      : dim_(dim), bits_(output_bits), c1_(n(), 0), c2_(n(), 0), last_(n(), false), transposer_(n(), 0) {}

  // One row enters; returns the row that leaves (at the same step: skew and delay are left out).
  std::vector<std::int32_t> step(Row a, Row b, Row d, bool weight_stationary, bool propagate, int shift, bool transpose_a, bool transpose_b,
                                 bool transpose_d) {
    if (transpose_a) {
      a = transpose(a);
    } else if (transpose_b) {
      b = transpose(b);
    } else if (transpose_d) {
      std::reverse(d.begin(), d.end());
      d = transpose(d);
      std::reverse(d.begin(), d.end());
    }
    std::vector<std::int32_t> out(static_cast<std::size_t>(dim_));
    for (int j = 0; j < dim_; ++j) {
      std::int32_t chain_b = b[static_cast<std::size_t>(j)];
      std::int32_t chain_d = d[static_cast<std::size_t>(j)];
      for (int k = 0; k < dim_; ++k) {
        const auto pe = static_cast<std::size_t>(k * dim_ + j);
        const int s = last_[pe] != propagate ? shift : 0;
        last_[pe] = propagate;
        std::int32_t& moving = propagate ? c1_[pe] : c2_[pe];
        std::int32_t& fixed = propagate ? c2_[pe] : c1_[pe];
        const std::int32_t x = a[static_cast<std::size_t>(k)];
        if (weight_stationary) {
          const std::int32_t out_c = wrap(moving);
          chain_b = wrap(chain_b + x * static_cast<std::int8_t>(fixed));
          moving = chain_d;
          chain_d = out_c;
        } else {
          const std::int32_t out_c = saturate(round_shift(moving, s));
          fixed = wrap(fixed + x * static_cast<std::int8_t>(chain_b));
          moving = chain_d;
          chain_d = out_c;
        }
      }
      out[static_cast<std::size_t>(j)] = weight_stationary ? chain_b : chain_d;
    }
    return out;
  }

 private:
  [[nodiscard]] std::size_t n() const { return static_cast<std::size_t>(dim_) * static_cast<std::size_t>(dim_); }
  [[nodiscard]] std::int32_t wrap(std::int64_t x) const {
    const std::int64_t span = std::int64_t{1} << bits_;
    x = ((x % span) + span) % span;
    return static_cast<std::int32_t>(x >= span / 2 ? x - span : x);
  }
  [[nodiscard]] std::int32_t saturate(std::int32_t x) const {
    const std::int64_t top = (std::int64_t{1} << (bits_ - 1)) - 1;
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(x, -top - 1, top));
  }
  static std::int32_t round_shift(std::int32_t x, int s) {
    if (s == 0) return x;
    const std::int64_t unit = std::int64_t{1} << s;
    std::int64_t q = x >= 0 ? x / unit : -((-std::int64_t{x} + unit - 1) / unit);   // floor
    const std::int64_t rest = x - q * unit;
    if (rest * 2 > unit || (rest * 2 == unit && q % 2 != 0)) ++q;
    return static_cast<std::int32_t>(q);
  }
  // A row goes in, a column comes out: the array of registers moves left for dim steps, then up for dim steps.
  Row transpose(const Row& in) {
    Row out(static_cast<std::size_t>(dim_));
    const auto at = [&](int r, int c) -> std::int8_t& { return transposer_[static_cast<std::size_t>(r * dim_ + c)]; };
    for (int i = 0; i < dim_; ++i) out[static_cast<std::size_t>(i)] = left_ ? at(i, 0) : at(0, i);
    if (left_) {
      for (int r = 0; r < dim_; ++r) {
        for (int c = 0; c + 1 < dim_; ++c) at(r, c) = at(r, c + 1);
        at(r, dim_ - 1) = in[static_cast<std::size_t>(r)];
      }
    } else {
      for (int c = 0; c < dim_; ++c) {
        for (int r = 0; r + 1 < dim_; ++r) at(r, c) = at(r + 1, c);
        at(dim_ - 1, c) = in[static_cast<std::size_t>(c)];
      }
    }
    if (++steps_ == dim_) {
      steps_ = 0;
      left_ = !left_;
    }
    return out;
  }

  int dim_;
  int bits_;
  std::vector<std::int32_t> c1_;
  std::vector<std::int32_t> c2_;
  std::vector<bool> last_;
  std::vector<std::int8_t> transposer_;
  bool left_ = true;
  int steps_ = 0;
};

}  // namespace systole::hw
