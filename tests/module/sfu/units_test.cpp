// The machine's arithmetic (hw/datapath) against every tensor of the stored results of single operations.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "hw/datapath/activation.h"
#include "hw/datapath/gemm.h"
#include "workloads/weights/safetensors.h"

namespace systole::hw {
namespace {

constexpr int kDim = 16;

class DatapathUnits : public testing::Test {
 protected:
  template <typename T>
  std::vector<T> get(const std::string& name) const {
    return file_.read_as<T>(name, file_.view(name).shape);
  }
  [[nodiscard]] std::size_t rows(const std::string& name) const { return file_.view(name).shape[0]; }
  [[nodiscard]] std::size_t cols(const std::string& name) const { return file_.view(name).shape[1]; }

  workloads::SafetensorsFile file_{std::string(SYSTOLE_TEST_DATA) + "/numerics/units.safetensors"};
  OverflowCounters overflows_;
};

// A row of any length in blocks of kDim columns, as the normaliser and the scaling unit see it.
class Row {
 public:
  Row(const std::int32_t* values, std::size_t count, const StoreConstants& constants, bool as_igelu = false)
      : values_(values, values + count), constants_(constants), as_igelu_(as_igelu) {
    for (std::int32_t& value : values_) value = rounding_shift(value, constants.pre_shift);
  }
  void layer_norm_statistics(OverflowCounters& overflows) {
    const std::int64_t mean = lanes(isa::NormCommand::kSum, overflows) / static_cast<std::int64_t>(values_.size());
    stats_.mean = static_cast<std::int32_t>(mean);
    const std::int64_t variance = lanes(isa::NormCommand::kVariance, overflows) / static_cast<std::int64_t>(values_.size());
    stats_.inv_stddev = 1.0f / row_deviation(variance, constants_.wide_variance) * float_of_bits(constants_.scale);
  }
  std::int64_t softmax_statistics(OverflowCounters& overflows) {
    stats_.max = lane_max(values_.data(), static_cast<int>(values_.size()));
    const std::int64_t sum = lanes(isa::NormCommand::kSumExp, overflows);
    stats_.inv_sum_exp = softmax_reciprocal(sum) * float_of_bits(constants_.scale);
    return sum;
  }
  void read_out(std::int8_t* out, OverflowCounters& overflows, const float* gain = nullptr, const float* bias = nullptr) const {
    for (std::size_t at = 0; at < values_.size(); at += kDim) {
      const auto count = static_cast<int>(std::min<std::size_t>(kDim, values_.size() - at));
      activate_row(values_.data() + at, count, constants_, stats_, 1.0f, {gain == nullptr ? nullptr : gain + at, bias == nullptr ? nullptr : bias + at},
                   true, as_igelu_, out + at, overflows);
    }
  }

 private:
  [[nodiscard]] std::int64_t lanes(isa::NormCommand command, OverflowCounters& overflows) const {
    std::int64_t sum = 0;
    for (std::size_t at = 0; at < values_.size(); at += kDim) {
      const auto count = static_cast<int>(std::min<std::size_t>(kDim, values_.size() - at));
      sum += lane_sum(values_.data() + at, count, command, stats_, constants_, as_igelu_, overflows);
      if (!constants_.wide_variance) sum = static_cast<std::int32_t>(static_cast<std::uint64_t>(sum));
    }
    return sum;
  }

  std::vector<std::int32_t> values_;
  StoreConstants constants_;
  bool as_igelu_;
  RowStatistics stats_;
};

std::uint32_t bits_of(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

StoreConstants constants_of(isa::Activation activation, float scale) {
  StoreConstants constants;
  constants.activation = activation;
  constants.scale = bits_of(scale);
  return constants;
}

// No tensor of the file is left out: each name is used by one of the tests below.
TEST_F(DatapathUnits, every_tensor_has_a_test) {
  std::set<std::string> known = {"gemm.A", "gemm.B", "gemm.C", "gemm.D", "scale.s", "scale.x", "scale.y8", "scale.y32", "shift.y", "mvin.x", "mvin.y"};
  for (int set = 0; set < 3; ++set) {
    for (const char* of : {"igelu", "iexp"}) known.insert({fmt::format("{}.{}.c", of, set), fmt::format("{}.{}.y", of, set)});
  }
  for (int set = 0; set < 7; ++set) {
    for (const char* of : {"x", "g", "b", "y", "ywide", "yaff"}) known.insert(fmt::format("ln.{}.{}", set, of));
  }
  for (int set = 0; set < 4; ++set) {
    for (const char* of : {"x", "c", "y", "sum", "exp8"}) known.insert(fmt::format("sm.{}.{}", set, of));
  }
  std::set<std::string> stored;
  for (const auto& name : file_.tensors()) stored.insert(name.first);
  EXPECT_EQ(stored, known);
}

// In tiles of the array, sums of a tile wrapped to 20 bits, tiles added up in the accumulator.
TEST_F(DatapathUnits, gemm) {
  const auto a = get<std::int8_t>("gemm.A");
  const auto b = get<std::int8_t>("gemm.B");
  const auto d = get<std::int32_t>("gemm.D");
  const auto c = get<std::int32_t>("gemm.C");
  const int m = static_cast<int>(rows("gemm.A")), k = static_cast<int>(cols("gemm.A")), n = static_cast<int>(cols("gemm.B"));
  for (const int dim : {4, 8, 16, 32}) {
    for (const GemmKernel* kernel : gemm_kernels(dim)) {
      std::vector<std::int32_t> sums = d;
      std::vector<std::int8_t> left(static_cast<std::size_t>(dim * dim)), right(left.size());
      std::vector<std::uint8_t> packed(kernel->packed_bytes(dim) + 64);
      std::uint8_t* aligned = packed.data() + (64 - reinterpret_cast<std::uintptr_t>(packed.data()) % 64) % 64;
      std::vector<std::int32_t> tile(left.size());
      for (int i0 = 0; i0 < m; i0 += dim) {
        for (int j0 = 0; j0 < n; j0 += dim) {
          for (int k0 = 0; k0 < k; k0 += dim) {
            for (int r = 0; r < dim; ++r) {
              for (int s = 0; s < dim; ++s) {
                const auto at = static_cast<std::size_t>(r * dim + s);
                left[at] = i0 + r < m && k0 + s < k ? a[static_cast<std::size_t>((i0 + r) * k + k0 + s)] : std::int8_t{0};
                right[at] = k0 + r < k && j0 + s < n ? b[static_cast<std::size_t>((k0 + r) * n + j0 + s)] : std::int8_t{0};
              }
            }
            kernel->pack(dim, right.data(), aligned);
            kernel->multiply(dim, dim, left.data(), aligned, GemmAddend::kZero, nullptr, tile.data(), dim <= kDim ? 12 : 0);
            for (int r = 0; r < dim && i0 + r < m; ++r) {
              for (int s = 0; s < dim && j0 + s < n; ++s) {
                std::int32_t& sum = sums[static_cast<std::size_t>((i0 + r) * n + j0 + s)];
                sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) + static_cast<std::uint32_t>(tile[static_cast<std::size_t>(r * dim + s)]));
              }
            }
          }
        }
      }
      EXPECT_EQ(sums, c) << kernel->name << ", array of " << dim;
    }
  }
}

TEST_F(DatapathUnits, scaling_and_shifts) {
  const auto x = get<std::int32_t>("scale.x");
  const auto s = get<float>("scale.s");
  const auto y8 = get<std::int8_t>("scale.y8");
  const auto y32 = get<std::int32_t>("scale.y32");
  const auto small = get<std::int8_t>("mvin.x");
  const auto moved = get<std::int8_t>("mvin.y");
  for (std::size_t i = 0; i < s.size(); ++i) {
    for (std::size_t j = 0; j < x.size(); ++j) {
      ASSERT_EQ(scale_to_int8(x[j], s[i]), y8[i * x.size() + j]) << x[j] << " * " << s[i];
      ASSERT_EQ(scale_to_int32(x[j], s[i]), y32[i * x.size() + j]) << x[j] << " * " << s[i];
    }
    for (std::size_t j = 0; j < small.size(); ++j) ASSERT_EQ(scale_to_int8(small[j], s[i]), moved[i * small.size() + j]);
  }
  const auto shifted = get<std::int32_t>("shift.y");
  for (int shift = 0; shift < 32; ++shift) {
    for (std::size_t j = 0; j < x.size(); ++j) {
      ASSERT_EQ(rounding_shift(x[j], shift), shifted[static_cast<std::size_t>(shift) * x.size() + j]) << x[j] << " >> " << shift;
    }
  }
}

TEST_F(DatapathUnits, gelu_and_exponential) {
  const auto x = get<std::int32_t>("scale.x");
  for (int set = 0; set < 3; ++set) {
    const auto c = get<std::int32_t>(fmt::format("igelu.{}.c", set));
    const auto y = get<std::int32_t>(fmt::format("igelu.{}.y", set));
    const auto e = get<std::int32_t>(fmt::format("iexp.{}.c", set));
    const auto z = get<std::int32_t>(fmt::format("iexp.{}.y", set));
    StoreConstants constants;
    constants.qb = e[0];
    constants.qc = e[1];
    constants.qln2 = e[2];
    constants.qln2_inv = e[3];
    for (std::size_t j = 0; j < x.size(); ++j) {
      ASSERT_EQ(igelu(x[j], c[0], c[1], overflows_.gelu), y[j]) << x[j];
      const auto negative = static_cast<std::int32_t>(-std::abs(static_cast<std::int64_t>(x[j])));
      ASSERT_EQ(iexp(negative, constants), z[j]) << x[j];
    }
  }
  EXPECT_GT(overflows_.gelu, 0U);
}

TEST_F(DatapathUnits, layer_norm_rows) {
  constexpr float kScale = 16.0F;
  for (int set = 0; set < 7; ++set) {
    const std::string prefix = fmt::format("ln.{}.", set);
    const auto x = get<std::int32_t>(prefix + "x");
    const auto g = get<float>(prefix + "g");
    const auto b = get<float>(prefix + "b");
    const std::size_t n = cols(prefix + "x");
    const StoreConstants plain = constants_of(isa::Activation::kLayerNorm, kScale);
    StoreConstants wide = plain;
    wide.wide_variance = true;
    StoreConstants affine = constants_of(isa::Activation::kLayerNormAffine, kScale);
    // Set 3 overflows on purpose, in its affine form too; the others have 64-bit sums and a shift there.
    if (set != 3) {
      affine.wide_variance = true;
      affine.pre_shift = 3;
    }
    std::vector<std::int8_t> y(x.size()), w(x.size()), f(x.size());
    for (std::size_t r = 0; r < rows(prefix + "x"); ++r) {
      const std::int32_t* values = x.data() + r * n;
      Row stock(values, n, plain), sums64(values, n, wide), scaled(values, n, affine);
      stock.layer_norm_statistics(overflows_);
      stock.read_out(y.data() + r * n, overflows_);
      sums64.layer_norm_statistics(overflows_);
      sums64.read_out(w.data() + r * n, overflows_);
      scaled.layer_norm_statistics(overflows_);
      scaled.read_out(f.data() + r * n, overflows_, g.data(), b.data());
    }
    EXPECT_EQ(y, get<std::int8_t>(prefix + "y")) << set;
    EXPECT_EQ(w, get<std::int8_t>(prefix + "ywide")) << set;
    EXPECT_EQ(f, get<std::int8_t>(prefix + "yaff")) << set;
  }
}

TEST_F(DatapathUnits, softmax_rows) {
  for (int set = 0; set < 4; ++set) {
    const std::string prefix = fmt::format("sm.{}.", set);
    const auto x = get<std::int32_t>(prefix + "x");
    const auto c = get<std::int32_t>(prefix + "c");
    const std::size_t n = cols(prefix + "x");
    const std::size_t count = rows(prefix + "x");
    StoreConstants softmax = constants_of(isa::Activation::kSoftmax, 1.0f);
    StoreConstants exponentials = constants_of(isa::Activation::kExp, static_cast<float>(127.0 / (static_cast<double>(c[0]) * c[0] + c[1])));
    for (StoreConstants* constants : {&softmax, &exponentials}) {
      constants->qb = c[0];
      constants->qc = c[1];
      constants->qln2 = c[2];
      constants->qln2_inv = c[3];
    }
    std::vector<std::int8_t> y(x.size()), e(x.size());
    std::vector<std::int32_t> sums(count);
    for (std::size_t r = 0; r < count; ++r) {
      Row divided(x.data() + r * n, n, softmax), plain(x.data() + r * n, n, exponentials);
      sums[r] = static_cast<std::int32_t>(divided.softmax_statistics(overflows_));
      divided.read_out(y.data() + r * n, overflows_);
      plain.softmax_statistics(overflows_);
      plain.read_out(e.data() + r * n, overflows_);
    }
    EXPECT_EQ(y, get<std::int8_t>(prefix + "y")) << set;
    EXPECT_EQ(e, get<std::int8_t>(prefix + "exp8")) << set;
    EXPECT_EQ(sums, get<std::int32_t>(prefix + "sum")) << set;
  }
}

// Bug-compatible option (sfu.iexp_as_igelu, the RTL of 2025): the exponential is GELU's body with q_b and q_c; q_ln2 has no effect.
TEST_F(DatapathUnits, exponential_of_2025_is_gelu) {
  const auto x = get<std::int32_t>("sm.2.x");
  const auto c = get<std::int32_t>("sm.2.c");
  const std::size_t n = cols("sm.2.x");
  StoreConstants constants = constants_of(isa::Activation::kExp, 1.0f / 65536.0f);
  constants.qb = c[0];
  constants.qc = c[1];
  constants.qln2 = c[2];
  constants.qln2_inv = c[3];
  Row row(x.data(), n, constants, true);
  const std::int64_t sum = row.softmax_statistics(overflows_);
  std::vector<std::int8_t> out(n);
  row.read_out(out.data(), overflows_);
  const std::int32_t max = *std::max_element(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(n));
  std::uint32_t expected_sum = 0;
  std::uint64_t ignored = 0;
  std::size_t differs = 0;
  for (std::size_t j = 0; j < n; ++j) {
    const std::int32_t e = igelu(x[j] - max, c[0], c[1], ignored);
    expected_sum += static_cast<std::uint32_t>(e);
    EXPECT_EQ(out[j], scale_to_int8(e, 1.0f / 65536.0f));
    differs += e != iexp(x[j] - max, constants) ? 1 : 0;
  }
  EXPECT_EQ(static_cast<std::uint32_t>(sum), expected_sum);
  EXPECT_GT(differs, n / 2);
}

}  // namespace
}  // namespace systole::hw
