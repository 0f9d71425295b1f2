// Every kernel of kernels/KERNELS.md alone: its values are those of the independent integer reference, its cycles those of last time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/add.h"
#include "kernels/attention.h"
#include "kernels/bias_rows.h"
#include "kernels/block_product.h"
#include "kernels/convert.h"
#include "kernels/host_fallback.h"
#include "kernels/layer_norm.h"
#include "kernels/matmul.h"
#include "kernels/normalise.h"
#include "kernels/published.h"
#include "tests/module/kernels/kernel_bench.h"
#include "workloads/reference/arithmetic.h"
#include "workloads/reference/gemm.h"
#include "workloads/reference/host_functions.h"

namespace systole::test {
namespace {

namespace ref = workloads::reference;
using kernels::Element;
using kernels::Matrix;
using Words = std::vector<std::int32_t>;
using Bytes = std::vector<std::int8_t>;
using ref::OverflowCounters;

constexpr const char* kMachine = "survey";

Words product(const Int8& a, const Int8& b, ref::Right right, const Words* bias = nullptr) {
  const std::uint64_t m = a.matrix.rows, k = a.matrix.cols, n = right == ref::Right::Plain ? b.matrix.cols : b.matrix.rows;
  Words c(m * n);
  ref::gemm(a.values.data(), b.values.data(), right, bias == nullptr ? nullptr : bias->data(), 0, c.data(), m, k, n);
  return c;
}

Bytes scaled(const Words& x, float scale) {
  Bytes y(x.size());
  ref::scale8(x.data(), x.size(), scale, y.data());
  return y;
}

// ---- products

TEST(Kernels, matmul) {
  KernelBench bench(kMachine);
  const Int8 a = bench.int8(70, 100);
  std::vector<kernels::MatmulBranch> branches;
  for (const float scale : {0.001f, 0.0007f}) {   // two heads with a read-out scale each
    const Int8 b = bench.int8(100, 48);
    const Int32 bias = bench.bias(48, 20000);
    kernels::MatmulBranch branch;
    branch.b = b.matrix, branch.d = bias.matrix, branch.c = bench.result(70, 48, Element::kInt8), branch.store.scale = scale;
    branches.push_back(branch);
    bench.expect(branch.c, scaled(product(a, b, ref::Right::Plain, &bias.values), scale));
  }
  kernels::matmul(bench.builder(), a.matrix, false, branches);
  bench.run("matmul");
}

TEST(Kernels, matmul_transposed_with_relu) {
  KernelBench bench(kMachine);
  const Int8 a = bench.int8(33, 64), b = bench.int8(50, 64);
  kernels::MatmulBranch branch;
  branch.b = b.matrix, branch.c = bench.result(33, 50, Element::kInt8);
  branch.store.scale = 0.001f, branch.store.activation = isa::Activation::kRelu;
  const Words sums = product(a, b, ref::Right::Transposed);
  Bytes expected(sums.size());
  ref::relu8(sums.data(), sums.size(), branch.store.scale, expected.data());
  bench.expect(branch.c, expected);
  kernels::matmul(bench.builder(), a.matrix, true, {branch});
  bench.run("matmul_transposed_with_relu");
}

TEST(Kernels, matmul_with_gelu) {
  KernelBench bench(kMachine);
  const Int8 a = bench.int8(40, 64, 30), b = bench.int8(64, 96, 30);
  constexpr double kUnit = 4e-3;
  kernels::MatmulBranch branch;
  branch.b = b.matrix, branch.c = bench.result(40, 96, Element::kInt8);
  branch.store.activation = isa::Activation::kIgelu;
  branch.store.pre_shift = 2;
  branch.store.constants.qb = static_cast<std::int32_t>(-1.769 * std::sqrt(2.0) / kUnit);
  branch.store.constants.qc = static_cast<std::int32_t>(1 / (-0.2888 * kUnit * kUnit / 2));
  branch.store.scale = static_cast<float>(kUnit * (-0.2888 * kUnit * kUnit / 2) / 2 / 0.05);
  const Words sums = product(a, b, ref::Right::Plain);
  Bytes expected(sums.size());
  OverflowCounters overflows;
  ref::gelu8(sums.data(), sums.size(), branch.store.pre_shift, branch.store.constants.qb, branch.store.constants.qc, branch.store.scale, expected.data(), overflows);
  bench.expect(branch.c, expected);
  kernels::matmul(bench.builder(), a.matrix, false, {branch});
  bench.run("matmul_with_gelu");
}

TEST(Kernels, language_head) {
  KernelBench bench(kMachine);
  const Int8 x = bench.int8(1, 128), words = bench.int8(128, 1000);
  kernels::MatmulBranch branch;
  branch.b = words.matrix, branch.c = bench.result(1, 1000, Element::kInt32);
  bench.expect(branch.c, product(x, words, ref::Right::Plain));
  kernels::matmul(bench.builder(), x.matrix, false, {branch});
  bench.run("language_head");
}

// x * scale + the product, one after the other in 32 bits.
Words with_residual(Words sums, const Int8& x, float scale) {
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += ref::scale32(x.values[i], scale);
  return sums;
}

TEST(Kernels, residual_scaled) {
  KernelBench bench(kMachine);
  constexpr std::uint64_t kRows = 45, kInner = 80, kCols = 64, kConstants = 16;
  const Int8 a = bench.int8(kRows, kInner), b = bench.int8(kInner, kCols), x = bench.int8(kRows, kCols);
  Words bias(kCols);
  for (std::int32_t& word : bias) word = static_cast<std::int32_t>(bench.random().range(-100000, 100000));
  ASSERT_LE(kernels::bias_rows_needed(bias), kConstants);
  // The bias is part of the product: constant columns behind A, its rows behind B.
  const Bytes constants = kernels::bias_constants(kConstants), rows = kernels::make_bias_rows(bias, kConstants).rows;
  Bytes wide(kRows * (kInner + kConstants));
  for (std::uint64_t r = 0; r < kRows; ++r) {
    std::copy_n(a.values.begin() + static_cast<std::ptrdiff_t>(r * kInner), kInner, wide.begin() + static_cast<std::ptrdiff_t>(r * (kInner + kConstants)));
    std::copy_n(constants.begin(), kConstants, wide.begin() + static_cast<std::ptrdiff_t>(r * (kInner + kConstants) + kInner));
  }
  Bytes tall = b.values;
  tall.insert(tall.end(), rows.begin(), rows.end());
  const Int8 left = bench.given(kRows, kInner + kConstants, wide), right = bench.given(kInner + kConstants, kCols, tall);
  kernels::MatmulBranch branch;
  branch.b = right.matrix, branch.d = x.matrix, branch.d_scale = 123.4f, branch.c = bench.result(kRows, kCols, Element::kInt32);
  bench.expect(branch.c, with_residual(product(a, b, ref::Right::Plain, &bias), x, branch.d_scale));
  kernels::matmul(bench.builder(), left.matrix, false, {branch});
  bench.run("residual_scaled");
}

TEST(Kernels, residual_scaled_beside_a_large_bias) {
  KernelBench bench(kMachine);
  const Int8 a = bench.int8(45, 200), b = bench.int8(200, 64), x = bench.int8(45, 64);
  const Int32 bias = bench.bias(64, 5000000);
  kernels::MatmulBranch branch;
  branch.b = b.matrix, branch.d = bias.matrix, branch.c = bench.result(45, 64, Element::kInt32);
  branch.residual = kernels::ResidualTerm{x.matrix, 123.4f, {}, 0};
  bench.expect(branch.c, with_residual(product(a, b, ref::Right::Plain, &bias.values), x, branch.residual->scale));
  kernels::matmul(bench.builder(), a.matrix, false, {branch});
  bench.run("residual_scaled_beside_a_large_bias");
}

TEST(Kernels, residual_diagonal) {
  KernelBench bench(kMachine);
  const Int8 a = bench.int8(45, 200), b = bench.int8(200, 64), x = bench.int8(45, 64);
  const Int32 bias = bench.bias(64, 5000);
  Words diagonal(64);
  for (std::int32_t& g : diagonal) g = static_cast<std::int32_t>(bench.random().range(100, 350));
  const auto dim = static_cast<std::uint64_t>(bench.target().dim);
  const kernels::DiagonalTiles tiles = kernels::make_diagonal(diagonal, dim);
  const Int8 placed = bench.given(tiles.data.size() / (tiles.passes * dim), tiles.passes * dim, tiles.data);
  kernels::MatmulBranch branch;
  branch.b = b.matrix, branch.d = bias.matrix, branch.c = bench.result(45, 64, Element::kInt32);
  branch.residual = kernels::ResidualTerm{x.matrix, 1.0f, placed.matrix, tiles.passes};
  Words expected = product(a, b, ref::Right::Plain, &bias.values);
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += x.values[i] * diagonal[i % 64];
  bench.expect(branch.c, expected);
  kernels::matmul(bench.builder(), a.matrix, false, {branch});
  bench.run("residual_diagonal");
}

TEST(Kernels, block_product) {
  KernelBench bench(kMachine);
  const Int8 a = bench.int8(30, 128), b = bench.int8(128, 100);
  kernels::BlockProduct block;
  block.a = a.matrix, block.b = b.matrix, block.c = bench.result(30, 100, Element::kInt8), block.store.scale = 0.0005f, block.cold = true;
  bench.expect(block.c, scaled(product(a, b, ref::Right::Plain), block.store.scale));
  kernels::multiply_block(bench.builder(), block);
  bench.run("block_product");
}

// ---- attention

constexpr std::uint64_t kHeadWidth = 32;

kernels::NonlinearConstants exp_constants(double unit) {
  kernels::NonlinearConstants c;
  c.qln2 = static_cast<std::int32_t>(0.693147 / unit);
  c.qln2_inv = 65536 / c.qln2;
  c.qb = static_cast<std::int32_t>(1.353 / unit);
  c.qc = static_cast<std::int32_t>(0.344 / (0.3585 * unit * unit));
  return c;
}

ref::ExpParameters reference_of(const kernels::NonlinearConstants& c) { return {c.qb, c.qc, c.qln2, c.qln2_inv}; }

struct AttentionCase {
  std::uint64_t queries = 37, keys = 53;
  std::optional<std::uint64_t> position = {};   // causal: of query 0
  bool deferred = true;
  std::size_t heads = 2;
};

void test_attention(const std::string& name, const AttentionCase& c) {
  KernelBench bench(kMachine);
  std::vector<kernels::AttentionHead> heads;
  const auto dim = static_cast<std::uint64_t>(bench.target().dim);
  for (std::size_t h = 0; h < c.heads; ++h) {
    const Int8 q = bench.int8(c.queries, kHeadWidth, 60), k = bench.int8(c.keys, kHeadWidth, 60), v = bench.int8(c.keys, kHeadWidth);
    kernels::AttentionHead head;
    head.q = q.matrix, head.k = k.matrix, head.v = v.matrix;
    head.p = bench.result(c.queries, c.keys, Element::kInt8);
    head.context = bench.result(c.queries, kHeadWidth, Element::kInt8);
    if (kernels::scores_need_memory(bench.target(), c.keys)) head.scores = bench.result(c.queries, c.keys, Element::kInt32);
    head.exp = exp_constants(2e-3);
    head.pre_shift = 3;
    head.p_scale = c.deferred ? 127.0f / (static_cast<float>(head.exp.qb) * static_cast<float>(head.exp.qb) + static_cast<float>(head.exp.qc)) : 4.0f;
    head.context_scale = c.deferred ? 30.0f : 0.02f;
    if (c.position) {
      const std::uint64_t origin = kernels::round_up(c.keys, 64);
      const Bytes pattern = kernels::causal_pattern<std::int8_t>(dim, origin, -1);
      const std::uint64_t rows = kernels::causal_pattern_rows(dim);
      head.mask.values = bench.given(rows, origin + rows, pattern).matrix;
      head.mask.scale = 4194304.0f;
      head.mask.causal = true;
      head.mask.position = *c.position;
      head.mask.origin = origin;
    }
    heads.push_back(head);
    const Words scores = product(q, k, ref::Right::Transposed);
    Bytes weights(scores.size()), context(c.queries * kHeadWidth);
    Words sums(context.size()), row_sums(c.queries);
    OverflowCounters overflows;
    for (std::uint64_t r = 0; r < c.queries; ++r) {
      const std::uint64_t visible = c.position ? std::min(c.keys, *c.position + r + 1) : c.keys;
      row_sums[r] = ref::exp_row(scores.data() + r * c.keys, visible, head.pre_shift, reference_of(head.exp),
                                 c.deferred ? ref::ExpReadout::Exponentials : ref::ExpReadout::Softmax, head.p_scale, weights.data() + r * c.keys, overflows);
    }
    ref::gemm(weights.data(), v.values.data(), ref::Right::Plain, nullptr, 0, sums.data(), c.queries, c.keys, kHeadWidth);
    for (std::uint64_t r = 0; r < c.queries; ++r) {
      const std::int32_t* row = sums.data() + r * kHeadWidth;
      std::int8_t* to = context.data() + r * kHeadWidth;
      if (c.deferred) ref::row_scale8(row, kHeadWidth, row_sums[r], head.context_scale, to);
      if (!c.deferred) ref::scale8(row, kHeadWidth, head.context_scale, to);
    }
    if (!c.position) bench.expect(head.p, weights);
    bench.expect(head.context, context);
    EXPECT_EQ(overflows.total(), 0u);
  }
  kernels::attention(bench.builder(), heads, {c.deferred, std::nullopt});
  bench.run(name);
}

TEST(Kernels, attention) { test_attention("attention", {}); }
TEST(Kernels, attention_with_softmax) { test_attention("attention_with_softmax", {37, 53, {}, false}); }
TEST(Kernels, attention_causal) { test_attention("attention_causal", {100, 100, 0}); }
TEST(Kernels, attention_with_long_rows) { test_attention("attention_with_long_rows", {20, 600}); }
TEST(Kernels, attention_of_one_query) { test_attention("attention_of_one_query", {1, 90}); }
TEST(Kernels, attention_across) { test_attention("attention_across", {9, 21}); }

// ---- LayerNorm and softmax of rows in memory

struct NormCase {
  bool affine = true, wide = false;
  float x_scale = 1.0f;
};

template <typename T>
void test_layer_norm(const std::string& name, Operand<T> (*make)(KernelBench&), const NormCase& c) {
  KernelBench bench(kMachine);
  const Operand<T> x = make(bench);
  const std::uint64_t rows = x.matrix.rows, cols = x.matrix.cols;
  kernels::LayerNormArguments a;
  a.x = x.matrix, a.x_scale = c.x_scale, a.out = bench.result(rows, cols, Element::kInt8);
  a.scale = 30.0f, a.pre_shift = c.wide ? 0 : 2, a.wide_variance = c.wide;
  std::vector<float> gamma(cols), beta(cols);
  for (float& g : gamma) g = static_cast<float>(bench.random().range(50, 150)) / 100.0f;
  for (float& b : beta) b = static_cast<float>(bench.random().range(-1000, 1000)) / 100.0f;
  if (c.affine) {
    const auto dim = static_cast<std::uint64_t>(bench.target().dim);
    const std::vector<float> parameters = kernels::affine_rows(gamma, beta, dim);
    a.affine = bench.given(parameters.size() / dim, dim, parameters).matrix;
  }
  Bytes expected(rows * cols);
  OverflowCounters overflows;
  Words row(cols);
  for (std::uint64_t r = 0; r < rows; ++r) {
    for (std::uint64_t i = 0; i < cols; ++i) row[i] = ref::scale32(x.values[r * cols + i], c.x_scale);
    ref::norm_row(row.data(), cols, {a.pre_shift, c.wide, a.scale, c.affine ? gamma.data() : nullptr, c.affine ? beta.data() : nullptr},
                  expected.data() + r * cols, overflows);
  }
  EXPECT_EQ(overflows.total(), 0u);
  bench.expect(a.out, expected);
  kernels::layer_norm(bench.builder(), a);
  bench.run(name);
}

Int32 words(KernelBench& bench) { return bench.int32(37, 200, 8000); }
Int32 large_words(KernelBench& bench) { return bench.int32(37, 200, 80000000); }
Int8 bytes(KernelBench& bench) { return bench.int8(37, 200); }

TEST(Kernels, layer_norm) { test_layer_norm<std::int32_t>("layer_norm", words, {}); }
TEST(Kernels, layer_norm_plain) { test_layer_norm<std::int32_t>("layer_norm_plain", words, {false}); }
TEST(Kernels, layer_norm_wide) { test_layer_norm<std::int32_t>("layer_norm_wide", large_words, {true, true}); }
// Rows that GELU left behind: a power of two makes them wide enough for the integer root.
TEST(Kernels, layer_norm_of_bytes) { test_layer_norm<std::int8_t>("layer_norm_of_bytes", bytes, {true, false, 64.0f}); }

TEST(Kernels, normalise_matrix) {
  KernelBench bench(kMachine);
  const Int32 x = bench.int32(37, 150, 4000);
  const Matrix out = bench.result(37, 150, Element::kInt8);
  kernels::StoreConfig store;
  store.activation = isa::Activation::kSoftmax, store.scale = 10.0f, store.pre_shift = 1;
  store.constants = exp_constants(2e-3);
  Bytes expected(x.values.size());
  OverflowCounters overflows;
  for (std::uint64_t r = 0; r < 37; ++r) {
    ref::exp_row(x.values.data() + r * 150, 150, store.pre_shift, reference_of(store.constants), ref::ExpReadout::Softmax, store.scale, expected.data() + r * 150,
                 overflows);
  }
  bench.expect(out, expected);
  kernels::normalise_matrix(bench.builder(), kernels::RowStatistics::kSoftmax, x.matrix, out, store, 0);
  bench.run("normalise_matrix");
}

TEST(Kernels, layer_norm_in_the_read_out) {
  KernelBench bench(kMachine);
  const Int8 a = bench.int8(50, 64, 40), b = bench.int8(64, 128, 40);
  std::vector<float> gamma(128, 1.25f), beta(128, -3.5f);
  const auto dim = static_cast<std::uint64_t>(bench.target().dim);
  const std::vector<float> parameters = kernels::affine_rows(gamma, beta, dim);
  const Matrix affine = bench.given(parameters.size() / dim, dim, parameters).matrix;
  kernels::MatmulBranch branch;
  branch.b = b.matrix, branch.c = bench.result(50, 128, Element::kInt8);
  branch.store.activation = isa::Activation::kLayerNormAffine, branch.store.scale = 30.0f, branch.store.pre_shift = 2;
  const Words sums = product(a, b, ref::Right::Plain);
  Bytes expected(sums.size());
  OverflowCounters overflows;
  for (std::uint64_t r = 0; r < 50; ++r) {
    ref::norm_row(sums.data() + r * 128, 128, {branch.store.pre_shift, false, branch.store.scale, gamma.data(), beta.data()}, expected.data() + r * 128, overflows);
  }
  bench.expect(branch.c, expected);
  const auto plan = bench.builder().tiling({{50, 128, 64}, false, false, 1, true, affine.rows});
  ASSERT_TRUE(plan.has_value());
  (void)kernels::load_affine_rows(bench.builder(), affine);
  bench.builder().fence();
  kernels::matmul_tiled(bench.builder(), a.matrix, false, {branch}, *plan);
  bench.run("layer_norm_in_the_read_out");
}

// ---- element by element

TEST(Kernels, add) {
  KernelBench bench(kMachine);
  const Int8 a = bench.int8(37, 100);
  const Int32 b = bench.int32(37, 100, 50000);
  kernels::AddArguments sum;
  sum.a = a.matrix, sum.scale_a = 300.0f, sum.b = b.matrix, sum.scale_b = 0.5f, sum.c = bench.result(37, 100, Element::kInt8), sum.store.scale = 0.002f;
  Words words(a.values.size());
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = ref::scale32(a.values[i], sum.scale_a) + ref::scale32(b.values[i], sum.scale_b);
  bench.expect(sum.c, scaled(words, sum.store.scale));
  kernels::add(bench.builder(), sum);
  bench.run("add");
}

TEST(Kernels, convert) {
  KernelBench bench(kMachine);
  const Int32 x = bench.int32(37, 100, 100000);
  const Matrix out = bench.result(37, 100, Element::kInt8);
  bench.expect(out, scaled(x.values, 0.001f));
  kernels::convert(bench.builder(), x.matrix, out, 0.001f);
  bench.run("convert");
}

// ---- on the CPU

constexpr const char* kBaseline = "survey-baseline";

TEST(Kernels, host_layer_norm_of_a_sum) {
  KernelBench bench(kBaseline);
  const Int8 a = bench.int8(12, 80);
  const Int32 b = bench.int32(12, 80, 10000);
  workloads::NormConstants norm;
  norm.scale = 32.0f;   // a power of two: gamma and beta in units of the result are exact
  norm.gamma.assign(80, 1.5f);
  norm.beta.assign(80, 16.0f);
  std::vector<float> parameters = norm.gamma;
  for (const float beta : norm.beta) parameters.push_back(beta / norm.scale);
  const Matrix affine = bench.given(2, 80, parameters).matrix;
  const Matrix x = bench.result(12, 80, Element::kFloat32), y = bench.result(12, 80, Element::kFloat32);
  const Matrix out = bench.result(12, 80, Element::kInt8);
  kernels::host_dequantise(bench.builder(), a.matrix, x, 0.25f);
  kernels::host_dequantise(bench.builder(), b.matrix, y, 0.001f);
  kernels::host_residual(bench.builder(), x, y, x);
  kernels::host_layer_norm(bench.builder(), x, affine, y);
  kernels::host_quantise(bench.builder(), y, out, norm.scale);
  workloads::Matrix<std::int8_t> a_values(12, 80);
  workloads::Matrix<std::int32_t> b_values(12, 80);
  a_values.data = a.values, b_values.data = b.values;
  workloads::Matrix<float> sum = ref::host_dequantise(a_values, 0.25f);
  ref::host_add(sum, ref::host_dequantise(b_values, 0.001f));
  bench.expect(out, ref::host_norm(sum, norm).data);
  bench.run("host_layer_norm_of_a_sum");
}

TEST(Kernels, host_softmax) {
  KernelBench bench(kBaseline);
  const Int32 scores = bench.int32(20, 30, 3000);
  const ref::HostSoftmax scales{0.001f, 127.0f};
  const Matrix x = bench.result(20, 30, Element::kFloat32), out = bench.result(20, 30, Element::kInt8);
  kernels::host_dequantise(bench.builder(), scores.matrix, x, scales.score_unit);
  kernels::host_softmax(bench.builder(), x, x, 11);
  kernels::host_quantise(bench.builder(), x, out, scales.weight_units);
  Bytes expected(scores.values.size());
  for (std::size_t r = 0; r < 20; ++r) ref::host_softmax_row(scores.values.data() + r * 30, 30, std::min<std::size_t>(30, 11 + r), scales, expected.data() + r * 30);
  bench.expect(out, expected);
  bench.run("host_softmax");
}

TEST(Kernels, host_gelu) {
  KernelBench bench(kBaseline);
  const Int32 sums = bench.int32(20, 60, 4000);
  workloads::ActivationConstants constants;
  constants.in_scale = 0.001, constants.out_scale = 0.03125;
  const Matrix x = bench.result(20, 60, Element::kFloat32), out = bench.result(20, 60, Element::kInt8);
  kernels::host_dequantise(bench.builder(), sums.matrix, x, 0.001f);
  kernels::host_gelu(bench.builder(), x, x);
  kernels::host_quantise(bench.builder(), x, out, 32.0f);
  Bytes expected(sums.values.size());
  ref::host_gelu(sums.values.data(), sums.values.size(), constants, expected.data());
  bench.expect(out, expected);
  bench.run("host_gelu");
}

// ---- the published library

TEST(Kernels, published_matmul) {
  KernelBench bench(kMachine);
  const Int8 a = bench.int8(70, 100), b = bench.int8(100, 90);
  const Int32 bias = bench.bias(90, 20000);
  kernels::PublishedMatmul p;
  p.a = a.matrix, p.b = b.matrix, p.d = bias.matrix, p.c = bench.result(70, 90, Element::kInt8), p.scale = 0.001f;
  bench.expect(p.c, scaled(product(a, b, ref::Right::Plain, &bias.values), p.scale));
  kernels::published_matmul(bench.builder(), p);
  bench.run("published_matmul");
}

TEST(Kernels, published_softmax) {
  KernelBench bench(kMachine);
  const Int8 q = bench.int8(37, kHeadWidth, 20), k = bench.int8(60, kHeadWidth, 20);
  kernels::PublishedMatmul p;
  p.a = q.matrix, p.b = k.matrix, p.c = bench.result(37, 60, Element::kInt8), p.transpose_b = true;
  p.activation = isa::Activation::kSoftmax, p.scale = 4.0f, p.constants = exp_constants(2e-3);
  const Words scores = product(q, k, ref::Right::Transposed);
  Bytes expected(scores.size());
  OverflowCounters overflows;
  for (std::uint64_t r = 0; r < 37; ++r) {
    ref::exp_row(scores.data() + r * 60, 60, 0, reference_of(p.constants), ref::ExpReadout::Softmax, p.scale, expected.data() + r * 60, overflows);
  }
  bench.expect(p.c, expected);
  kernels::published_matmul(bench.builder(), p);
  bench.run("published_softmax");
}

TEST(Kernels, published_layer_norm) {
  KernelBench bench(kMachine);
  const Int32 x = bench.int32(37, 192, 2000);   // packed rows: whole requests
  const Matrix out = bench.result(37, 192, Element::kInt8);
  Bytes expected(x.values.size());
  OverflowCounters overflows;
  for (std::uint64_t r = 0; r < 37; ++r) ref::norm_row(x.values.data() + r * 192, 192, {0, false, 30.0f, nullptr, nullptr}, expected.data() + r * 192, overflows);
  bench.expect(out, expected);
  kernels::published_layer_norm(bench.builder(), x.matrix, out, 30.0f);
  bench.run("published_layer_norm");
}

TEST(Kernels, published_residual_add) {
  KernelBench bench(kMachine);
  const Int8 a = bench.int8(70, 128), b = bench.int8(70, 128);
  const Matrix out = bench.result(70, 128, Element::kInt8);
  Words sums(a.values.size());
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = a.values[i] + b.values[i];
  bench.expect(out, scaled(sums, 1.0f));
  kernels::published_residual_add(bench.builder(), a.matrix, b.matrix, out);
  bench.run("published_residual_add");
}

}  // namespace
}  // namespace systole::test
