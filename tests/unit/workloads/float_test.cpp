// Floating point that does not depend on the machine: elementary functions, matrix products, random numbers, known
// models.
#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "workloads/models/model_config.h"
#include "workloads/reference/float_gemm.h"
#include "workloads/reference/float_model.h"
#include "workloads/weights/elementary.h"
#include "workloads/weights/random.h"

namespace systole::workloads {
namespace {

TEST(Elementary, functions_are_close_to_the_exact_ones) {
  for (double x = -86.0; x < 88.0; x += 0.0137) {
    const auto argument = static_cast<float>(x);
    EXPECT_NEAR(portable_exp(argument) / std::exp(static_cast<double>(argument)), 1.0, 3e-7) << x;
  }
  EXPECT_EQ(portable_exp(-200.0F), 0.0F);
  EXPECT_EQ(portable_exp(-std::numeric_limits<float>::infinity()), 0.0F);
  EXPECT_TRUE(std::isfinite(portable_exp(std::numeric_limits<float>::infinity())));
  EXPECT_TRUE(std::isnan(portable_exp(std::numeric_limits<float>::quiet_NaN())));
  for (double x = -6.0; x < 6.0; x += 0.0013) {
    EXPECT_NEAR(portable_erf(static_cast<float>(x)), std::erf(x), 5e-7) << x;
  }
  for (double x = 1e-300; x < 1e300; x *= 1.37) {
    EXPECT_NEAR(portable_log(x) / std::log(x), 1.0, 1e-12) << x;
  }
  for (double x = -1000.0; x < 1000.0; x += 0.713) {
    EXPECT_NEAR(portable_sin(x), std::sin(x), 1e-11) << x;
  }
  for (double x = -600.0; x < 600.0; x += 0.613) {
    EXPECT_NEAR(portable_exp(x) / std::exp(x), 1.0, 1e-12) << x;
  }
}

TEST(FloatGemm, every_kernel_gives_the_bits_of_the_plain_loop) {
  constexpr std::uint32_t kSeed = 3;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  const auto number = [&] { return static_cast<float>(static_cast<int>(random() % 20001) - 10000) * 1e-3F; };
  for (int trial = 0; trial < 40; ++trial) {
    const std::size_t m = 1 + random() % 20, k = 1 + random() % 90, n = 1 + random() % 100;
    std::vector<float> a(m * k), b(k * n), transposed(k * n), bias(n), expected(m * n);
    for (float& x : a) x = number();
    for (float& x : b) x = number();
    for (float& x : bias) x = number();
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        float sum = 0;
        for (std::size_t p = 0; p < k; ++p) {
          const float product = a[i * k + p] * b[p * n + j];
          sum += product;
          transposed[j * k + p] = b[p * n + j];
        }
        expected[i * n + j] = sum + bias[j];
      }
    }
    using reference::FloatKernel;
    for (const FloatKernel kernel : {FloatKernel::Sse2, FloatKernel::Avx2, FloatKernel::Avx512}) {
      if (!reference::is_supported(kernel)) {
        continue;
      }
      std::vector<float> c(m * n);
      reference::float_gemm(kernel, {a.data(), k}, {b.data(), n}, reference::Right::Plain, bias.data(), c.data(), n, m,
                            k, n);
      ASSERT_EQ(c, expected);
      std::fill(c.begin(), c.end(), 0.0F);
      reference::float_gemm(kernel, {a.data(), k}, {transposed.data(), k}, reference::Right::Transposed, bias.data(),
                            c.data(), n, m, k, n);
      ASSERT_EQ(c, expected);
    }
  }
}

TEST(RandomStream, numbers_are_normal_and_do_not_depend_on_how_they_are_drawn) {
  constexpr std::size_t kCount = 200'000;
  const RandomStream stream(1, "weights");
  std::vector<float> x(kCount);
  stream.normal(0, kCount, 1.0, x.data());
  double sum = 0, squares = 0, fourth = 0, largest = 0;
  for (const float v : x) {
    sum += v;
    squares += static_cast<double>(v) * v;
    fourth += std::pow(v, 4.0);
    largest = std::max(largest, std::fabs(static_cast<double>(v)));
  }
  EXPECT_NEAR(sum / kCount, 0.0, 0.01);
  EXPECT_NEAR(squares / kCount, 1.0, 0.01);
  EXPECT_NEAR(fourth / kCount, 3.0, 0.1);
  EXPECT_GT(largest, 4.0);
  EXPECT_LT(largest, 6.0);
  float one = 0;
  stream.normal(1234, 1, 1.0, &one);
  EXPECT_EQ(one, x[1234]);
  RandomStream(2, "weights").normal(1234, 1, 1.0, &one);
  EXPECT_NE(one, x[1234]);
  RandomStream(1, "weight").normal(1234, 1, 1.0, &one);
  EXPECT_NE(one, x[1234]);
}

TEST(RandomWeights, follow_the_initialisation_of_their_family) {
  ModelConfig config = find_model("gpt2");
  const RandomWeights weights(config, 1);
  const FloatLayer layer = weights.layer(3);
  const auto deviation = [](const Matrix<float>& w) {
    double squares = 0;
    for (const float v : w.data) squares += static_cast<double>(v) * v;
    return std::sqrt(squares / static_cast<double>(w.size()));
  };
  EXPECT_NEAR(deviation(layer.up.w), config.initializer_range, 1e-4);
  EXPECT_NEAR(deviation(layer.down.w), config.initializer_range / std::sqrt(2.0 * 12), 1e-4);
  EXPECT_EQ(layer.norm1.gamma, std::vector<float>(768, 1.0F));
  EXPECT_EQ(weights.layer(3).up.w.data, layer.up.w.data);
  EXPECT_NE(weights.layer(4).up.w.data, layer.up.w.data);
}

TEST(RandomWeights, language_head_is_the_transposed_word_embedding) {
  ModelConfig config = find_model("gpt2");
  config.vocabulary = 37;
  const RandomWeights weights(config, 5);
  const Matrix<float> head = weights.language_head().w;
  // A position's own embedding is the difference between two tokens' only in the words.
  const Matrix<float> x = weights.embed(Side::Decoder, {3}, 0);
  const Matrix<float> y = weights.embed(Side::Decoder, {36}, 0);
  for (std::size_t c = 0; c < 768; c += 97) {
    EXPECT_NEAR(x.at(0, c) - y.at(0, c), head.at(c, 3) - head.at(c, 36), 1e-7);
  }
}

TEST(Models, are_found_by_name_and_the_nearest_is_proposed) {
  EXPECT_EQ(find_model("bert-large").d, 1024U);
  EXPECT_EQ(find_model("bert-base").dk(), 64U);
  EXPECT_EQ(find_model("transformer-base").all_layers(), 12U);
  EXPECT_EQ(find_model("gpt2-medium").layers, 24U);
  try {
    (void)find_model("bert-bas");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("nearest: 'bert-base'"), std::string::npos);
  }
}

}  // namespace
}  // namespace systole::workloads
