#include "trained_like.h"

#include <array>
#include <cmath>

#include <fmt/format.h>

#include "workloads/reference/float_model.h"

namespace systole::workloads {
namespace {

using reference::LayerTrace;

constexpr std::size_t kRows = 64;   // on which the branches are centred
constexpr std::uint64_t kStream = 7000;

struct Deviations {
  double qkv, attention_output, up, down;
};

Deviations deviations_of(const ModelConfig& config) {
  if (config.architecture == Architecture::Gpt2) return {0.14, 0.07, 0.13, 0.06};
  return {0.042, 0.021, 0.042, 0.021};
}

// Dimensions that are large everywhere, as in trained models of this width.
std::vector<std::size_t> outliers_of(const ModelConfig& config) {
  if (config.architecture == Architecture::Gpt2) return {138, 378, 447};
  return {308, 381};
}

// In [0, 1), the same for the same names.
double uniform(std::uint64_t seed, const std::string& name, std::size_t index) {
  return static_cast<double>(RandomStream(seed, name).bits(index) >> 11) / 9007199254740992.0;
}

std::vector<float> normals(std::uint64_t seed, const std::string& name, std::size_t count) {
  std::vector<float> values(count);
  RandomStream(seed, name).normal(0, count, 1.0, values.data());
  return values;
}

// Minus the mean of each column of `sum - residual`.
std::vector<float> centring(const Matrix<float>& sum, const Matrix<float>& residual) {
  std::vector<float> bias(sum.cols);
  for (std::size_t r = 0; r < sum.rows; ++r) {
    for (std::size_t c = 0; c < sum.cols; ++c) bias[c] -= (sum.at(r, c) - residual.at(r, c)) / static_cast<float>(sum.rows);
  }
  return bias;
}

}  // namespace

TrainedLikeWeights::TrainedLikeWeights(ModelConfig config, std::uint64_t seed) : random_(std::move(config), seed), seed_(seed) {
  const ModelConfig& c = random_.config();
  const bool pre_norm = c.architecture == Architecture::Gpt2;
  Matrix<float> x = embed(pre_norm ? Side::Decoder : Side::Encoder, random_tokens(c, kRows, seed, kStream), 0);
  if (c.embedding_norm) {
    const FloatNorm norm = embedding_norm(Side::Encoder);
    x = reference::float_norm(x, &norm, c.norm_epsilon);
  }
  // Biases take the mean of each branch away: without them the rows of a deep random stack become equal.
  for (std::size_t index = 0; index < c.layers; ++index) {
    FloatLayer& layer = layers_.emplace_back(bare_layer(index));
    const auto trace = [&] { return reference::float_layer(c, layer, x, {index, x.rows, nullptr}); };
    layer.attention.o.b = centring(trace().attention_sum, x);
    const LayerTrace half = trace();
    layer.down.b = centring(half.ffn_sum, pre_norm ? half.attention_sum : half.norm1);
    x = reference::output_of(c, trace());
  }
}

// Student's t with 5 degrees of freedom, of deviation 1, times a log-normal factor for each column.
FloatLinear TrainedLikeWeights::heavy(const std::string& name, std::size_t in, std::size_t out, double deviation) const {
  constexpr int kFreedom = 5;
  constexpr double kColumnSpread = 0.2;
  FloatLinear linear{Matrix<float>(in, out), std::vector<float>(out)};
  std::array<std::vector<float>, kFreedom> squares;
  for (int i = 0; i < kFreedom; ++i) squares[static_cast<std::size_t>(i)] = normals(seed_, fmt::format("{}.chi{}", name, i), in * out);
  linear.w.data = normals(seed_, name, in * out);
  const std::vector<float> columns = normals(seed_, name + ".columns", out);
  const double unit = deviation / std::sqrt(kFreedom / (kFreedom - 2.0)) / std::exp(kColumnSpread * kColumnSpread);
  for (std::size_t i = 0; i < in * out; ++i) {
    double chi = 0;
    for (const std::vector<float>& s : squares) chi += static_cast<double>(s[i]) * s[i];
    linear.w.data[i] *= static_cast<float>(unit * std::exp(kColumnSpread * columns[i % out]) / std::sqrt(chi / kFreedom));
  }
  return linear;
}

FloatNorm TrainedLikeWeights::gains(const std::string& name, std::size_t layer) const {
  const std::size_t d = config().d;
  FloatNorm norm{normals(seed_, fmt::format("{}.{}.gamma", name, layer), d), normals(seed_, fmt::format("{}.{}.beta", name, layer), d)};
  for (std::size_t j = 0; j < d; ++j) {
    norm.gamma[j] = 0.9F + 0.1F * norm.gamma[j];
    norm.beta[j] *= 0.1F;
  }
  // What is large in the stream is turned down again in front of the products.
  for (const std::size_t j : outliers_of(config())) norm.gamma[j] = config().architecture == Architecture::Gpt2 ? 0.05F : 2.0F;
  return norm;
}

FloatLayer TrainedLikeWeights::bare_layer(std::size_t index) const {
  const ModelConfig& c = config();
  const Deviations deviation = deviations_of(c);
  const std::string name = fmt::format("trained.{}", index);
  FloatLayer layer;
  layer.attention = {heavy(name + ".q", c.d, c.d, deviation.qkv), heavy(name + ".k", c.d, c.d, deviation.qkv), heavy(name + ".v", c.d, c.d, deviation.qkv),
                     heavy(name + ".o", c.d, c.d, deviation.attention_output)};
  // Some heads look everywhere, some at few keys: scores of deviation 0.3 to 2.
  const double plain = deviation.qkv * deviation.qkv * static_cast<double>(c.d);
  for (std::size_t h = 0; h < c.heads; ++h) {
    const auto gain = static_cast<float>((0.3 + 1.7 * uniform(seed_, name + ".gain", h)) / plain);
    for (std::size_t r = 0; r < c.d; ++r) {
      for (std::size_t j = 0; j < c.dk(); ++j) layer.attention.q.w.at(r, h * c.dk() + j) *= gain;
    }
    layer.attention.k.b[h * c.dk()] = 2.0F;
  }
  layer.norm1 = gains(name + ".norm1", index);
  layer.norm2 = gains(name + ".norm2", index);
  layer.up = heavy(name + ".up", c.d, c.f, deviation.up);
  layer.down = heavy(name + ".down", c.f, c.d, deviation.down);
  for (const std::size_t j : outliers_of(c)) {
    for (std::size_t r = 0; r < c.f; ++r) layer.down.w.at(r, j) *= 2.0F;
  }
  return layer;
}

Matrix<float> TrainedLikeWeights::embed(Side side, const std::vector<std::int32_t>& tokens, std::size_t first) const {
  Matrix<float> rows = random_.embed(side, tokens, first);
  if (config().architecture != Architecture::Gpt2) return rows;
  const std::vector<std::size_t> outliers = outliers_of(config());
  for (float& value : rows.data) value *= 20.0F;
  for (std::size_t r = 0; r < rows.rows; ++r) {
    for (std::size_t i = 0; i < outliers.size(); ++i) rows.at(r, outliers[i]) += 8.0F * static_cast<float>(i + 1);
  }
  // The row that all others look at when they look at nothing.
  if (first == 0) rows.at(0, outliers.back()) += 1500.0F;
  return rows;
}

}  // namespace systole::workloads
