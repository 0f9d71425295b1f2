// The integer reference against stored results of single operations.
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "workloads/reference/arithmetic.h"
#include "workloads/reference/gemm.h"
#include "workloads/weights/safetensors.h"

namespace systole::workloads::reference {
namespace {

class Units : public ::testing::Test {
 protected:
  template <typename T>
  std::vector<T> get(const std::string& name) const {
    return file_.read_as<T>(name, file_.view(name).shape);
  }
  std::size_t rows(const std::string& name) const { return file_.view(name).shape[0]; }
  std::size_t cols(const std::string& name) const { return file_.view(name).shape[1]; }

  SafetensorsFile file_{std::string(SYSTOLE_TEST_DATA) + "/numerics/units.safetensors"};
  OverflowCounters overflows_;
};

TEST_F(Units, gemm_wraps_like_the_machine) {
  const auto a = get<std::int8_t>("gemm.A");
  const auto b = get<std::int8_t>("gemm.B");
  const auto d = get<std::int32_t>("gemm.D");
  const std::size_t m = rows("gemm.A"), k = cols("gemm.A"), n = cols("gemm.B");
  for (const GemmKernel kernel : {GemmKernel::Sse2, GemmKernel::Avx2, GemmKernel::Avx512Vnni}) {
    if (!is_supported(kernel)) {
      continue;
    }
    std::vector<std::int32_t> c(m * n);
    gemm(kernel, a.data(), b.data(), Right::Plain, d.data(), n, c.data(), m, k, n);
    EXPECT_EQ(c, get<std::int32_t>("gemm.C"));
  }
}

TEST_F(Units, scaling_rounds_and_saturates) {
  const auto x = get<std::int32_t>("scale.x");
  const auto s = get<float>("scale.s");
  const auto y8 = get<std::int8_t>("scale.y8");
  const auto y32 = get<std::int32_t>("scale.y32");
  for (std::size_t i = 0; i < s.size(); ++i) {
    for (std::size_t j = 0; j < x.size(); ++j) {
      ASSERT_EQ(scale8(x[j], s[i]), y8[i * x.size() + j]) << x[j] << " * " << s[i];
      ASSERT_EQ(scale32(x[j], s[i]), y32[i * x.size() + j]) << x[j] << " * " << s[i];
    }
  }
  const auto small = get<std::int8_t>("mvin.x");
  const auto moved = get<std::int8_t>("mvin.y");
  for (std::size_t i = 0; i < s.size(); ++i) {
    for (std::size_t j = 0; j < small.size(); ++j) {
      ASSERT_EQ(scale8(small[j], s[i]), moved[i * small.size() + j]);
    }
  }
}

TEST_F(Units, shift_rounds_half_to_even) {
  const auto x = get<std::int32_t>("scale.x");
  const auto y = get<std::int32_t>("shift.y");
  for (int shift = 0; shift < 32; ++shift) {
    for (std::size_t j = 0; j < x.size(); ++j) {
      ASSERT_EQ(rounding_shift(x[j], shift), y[static_cast<std::size_t>(shift) * x.size() + j])
          << x[j] << " >> " << shift;
    }
  }
}

TEST_F(Units, gelu_and_exponential) {
  const auto x = get<std::int32_t>("scale.x");
  for (int set = 0; set < 3; ++set) {
    const auto c = get<std::int32_t>(fmt::format("igelu.{}.c", set));
    const auto y = get<std::int32_t>(fmt::format("igelu.{}.y", set));
    const auto e = get<std::int32_t>(fmt::format("iexp.{}.c", set));
    const auto z = get<std::int32_t>(fmt::format("iexp.{}.y", set));
    for (std::size_t j = 0; j < x.size(); ++j) {
      ASSERT_EQ(integer_gelu(x[j], c[0], c[1], overflows_), y[j]) << x[j];
      const auto negative = static_cast<std::int32_t>(-std::abs(static_cast<std::int64_t>(x[j])));
      ASSERT_EQ(integer_exp(negative, {e[0], e[1], e[2], e[3]}), z[j]) << x[j];
    }
  }
  EXPECT_GT(overflows_.gelu, 0U);
}

TEST_F(Units, layer_norm_rows) {
  constexpr float kScale = 16.0F;
  for (int set = 0; set < 7; ++set) {
    const std::string prefix = fmt::format("ln.{}.", set);
    const auto x = get<std::int32_t>(prefix + "x");
    const auto g = get<float>(prefix + "g");
    const auto b = get<float>(prefix + "b");
    const std::size_t n = cols(prefix + "x");
    const NormParameters plain{0, false, kScale, nullptr, nullptr};
    const NormParameters wide{0, true, kScale, nullptr, nullptr};
    // Set 3 overflows on purpose, in its affine form too; the others have 64-bit sums and a shift there.
    const bool overflowing = set == 3;
    const NormParameters affine{overflowing ? 0 : 3, !overflowing, kScale, g.data(), b.data()};
    std::vector<std::int8_t> y(x.size()), w(x.size()), f(x.size());
    for (std::size_t r = 0; r < rows(prefix + "x"); ++r) {
      norm_row(x.data() + r * n, n, plain, y.data() + r * n, overflows_);
      norm_row(x.data() + r * n, n, wide, w.data() + r * n, overflows_);
      norm_row(x.data() + r * n, n, affine, f.data() + r * n, overflows_);
    }
    EXPECT_EQ(y, get<std::int8_t>(prefix + "y")) << set;
    EXPECT_EQ(w, get<std::int8_t>(prefix + "ywide")) << set;
    EXPECT_EQ(f, get<std::int8_t>(prefix + "yaff")) << set;
  }
  EXPECT_EQ(overflows_.variance, 2 * rows("ln.3.x"));
}

TEST_F(Units, softmax_rows) {
  for (int set = 0; set < 4; ++set) {
    const std::string prefix = fmt::format("sm.{}.", set);
    const auto x = get<std::int32_t>(prefix + "x");
    const auto c = get<std::int32_t>(prefix + "c");
    const ExpParameters exp{c[0], c[1], c[2], c[3]};
    const std::size_t n = cols(prefix + "x");
    const std::size_t count = rows(prefix + "x");
    const auto one = static_cast<float>(127.0 / (static_cast<double>(c[0]) * c[0] + c[1]));
    std::vector<std::int8_t> y(x.size()), e(x.size());
    std::vector<std::int32_t> sums(count);
    for (std::size_t r = 0; r < count; ++r) {
      sums[r] = exp_row(x.data() + r * n, n, 0, exp, ExpReadout::Softmax, 1.0F, y.data() + r * n, overflows_);
      exp_row(x.data() + r * n, n, 0, exp, ExpReadout::Exponentials, one, e.data() + r * n, overflows_);
    }
    EXPECT_EQ(y, get<std::int8_t>(prefix + "y")) << set;
    EXPECT_EQ(e, get<std::int8_t>(prefix + "exp8")) << set;
    EXPECT_EQ(sums, get<std::int32_t>(prefix + "sum")) << set;
  }
}

// Corner values are frequent in the random operands: -128 * -128 is what saturating instructions get wrong.
TEST(ReferenceGemm, every_kernel_and_layout_equals_the_plain_loop) {
  constexpr std::uint32_t kSeed = 2;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  const auto byte = [&]() -> std::int8_t {
    return random() % 4 == 0 ? std::int8_t{-128} : static_cast<std::int8_t>(random());
  };
  for (int trial = 0; trial < 60; ++trial) {
    const std::size_t m = 1 + random() % 40, k = 1 + random() % 150, n = 1 + random() % 140;
    std::vector<std::int8_t> a(m * k), b(k * n), transposed(k * n);
    std::vector<std::int32_t> d(n), expected(m * n);
    for (auto& x : a) x = byte();
    for (auto& x : b) x = byte();
    for (auto& x : d) x = static_cast<std::int32_t>(random());
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        std::uint32_t sum = static_cast<std::uint32_t>(d[j]);
        for (std::size_t p = 0; p < k; ++p) {
          sum += static_cast<std::uint32_t>(a[i * k + p] * b[p * n + j]);
          transposed[j * k + p] = b[p * n + j];
        }
        expected[i * n + j] = static_cast<std::int32_t>(sum);
      }
    }
    for (const GemmKernel kernel : {GemmKernel::Sse2, GemmKernel::Avx2, GemmKernel::Avx512Vnni}) {
      if (!is_supported(kernel)) {
        continue;
      }
      std::vector<std::int32_t> c(m * n);
      gemm(kernel, a.data(), b.data(), Right::Plain, d.data(), 0, c.data(), m, k, n);
      ASSERT_EQ(c, expected);
      std::fill(c.begin(), c.end(), 0);
      gemm(kernel, a.data(), transposed.data(), Right::Transposed, d.data(), 0, c.data(), m, k, n);
      ASSERT_EQ(c, expected);
    }
  }
}

}  // namespace
}  // namespace systole::workloads::reference
