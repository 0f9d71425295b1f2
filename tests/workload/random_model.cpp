#include "tests/workload/random_model.h"

#include <cmath>

namespace systole::workloads {
namespace {

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  std::int32_t integer(std::int32_t lo, std::int32_t hi) {
    return lo + static_cast<std::int32_t>(random_() % static_cast<std::uint32_t>(hi - lo + 1));
  }
  float number(float lo, float hi) { return lo + (hi - lo) * static_cast<float>(random_() >> 8) / 16777216.0f; }
  Matrix<std::int8_t> weights(std::size_t rows, std::size_t cols) {
    Matrix<std::int8_t> m(rows, cols);
    for (std::int8_t& w : m.data) w = static_cast<std::int8_t>(integer(-40, 40));
    return m;
  }
  std::vector<std::int32_t> bias(std::size_t cols, std::int32_t range) {
    std::vector<std::int32_t> b(cols);
    for (std::int32_t& x : b) x = integer(-range, range);
    return b;
  }

 private:
  std::mt19937 random_;
};

constexpr double kWeightDeviation = 23.4;  // of -40..40
constexpr double kActivation = 40;         // wanted deviation of int8 activations

// Standard deviation of a sum of products of `k` activations and weights.
double sum_deviation(std::size_t k) { return std::sqrt(static_cast<double>(k)) * kActivation * kWeightDeviation; }

NormConstants norm(Generator& g, std::size_t d, double deviation, bool wide) {
  NormConstants n;
  // Sums of squares must fit 31 bits with a margin, unless they are 64 bits wide.
  while (!wide && deviation / std::exp2(n.pre_shift) * 4 > std::sqrt(2147483648.0 / static_cast<double>(d))) ++n.pre_shift;
  n.scale = static_cast<float>(kActivation);
  for (std::size_t c = 0; c < d; ++c) {
    n.gamma.push_back(g.number(0.5f, 1.5f));
    n.beta.push_back(g.number(-10.0f, 10.0f));
  }
  return n;
}

HeadWeights head(Generator& g, std::size_t in, std::size_t dk, std::size_t keys, bool deferred) {
  HeadWeights h;
  h.wq = g.weights(in, dk), h.wk = g.weights(in, dk), h.wv = g.weights(in, dk);
  h.bq = g.bias(dk, 5000), h.bk = g.bias(dk, 5000), h.bv = g.bias(dk, 5000);
  h.aq = static_cast<float>(kActivation / sum_deviation(in)) * g.number(0.9f, 1.1f);
  h.ak = static_cast<float>(kActivation / sum_deviation(in)) * g.number(0.9f, 1.1f);
  h.av = static_cast<float>(kActivation / sum_deviation(in)) * g.number(0.9f, 1.1f);
  // Scores of real deviation 2.
  double s = static_cast<double>(g.number(1.5f, 2.5f)) / (std::sqrt(static_cast<double>(dk)) * kActivation * kActivation);
  const double least = std::max(8.5e-5, std::sqrt(static_cast<double>(keys) * 1.3e-9));
  while (s < least) s *= 2, ++h.pre_shift;
  h.exp.qln2 = static_cast<std::int32_t>(0.693147 / s);
  h.exp.qln2_inv = 65536 / h.exp.qln2;
  h.exp.qb = static_cast<std::int32_t>(1.353 / s);
  h.exp.qc = static_cast<std::int32_t>(0.344 / (0.3585 * s * s));
  const double peak = static_cast<double>(h.exp.qb) * h.exp.qb + h.exp.qc;
  h.probability_scale = deferred ? static_cast<float>(127.0 / peak) : 2.0f;
  h.context_scale = deferred ? static_cast<float>(peak / (127.0 * 127.0) * 1.2) : 0.006f;
  return h;
}

AttentionWeights attention(Generator& g, const RandomModel& r, std::size_t keys, bool output) {
  AttentionWeights a;
  const std::size_t dk = r.d / r.heads;
  for (std::size_t n = 0; n < r.heads; ++n) a.heads.push_back(head(g, r.d, dk, keys, r.probability_form == ProbabilityForm::Deferred));
  if (output) {
    a.wo = g.weights(r.d, r.d);
    a.bo = g.bias(r.d, r.bias);
  }
  return a;
}

void residual(Generator& g, const RandomModel& r, Residual& out, double sum, double input) {
  const double factor = sum / input;
  if (r.norm_form == NormForm::Fold) {
    out.diagonal = g.bias(r.d, static_cast<std::int32_t>(factor) + 1);
  } else {
    out.scale = static_cast<float>(factor);
  }
}

}  // namespace

QuantisedModel random_model(const RandomModel& r) {
  Generator g(r.seed);
  QuantisedModel m;
  m.architecture = r.architecture;
  m.norm_form = r.norm_form;
  m.probability_form = r.probability_form;
  m.activation = r.activation;
  m.d = r.d, m.f = r.architecture == Architecture::CrossAttention ? 0 : r.f, m.heads = r.heads;
  m.sequence = r.rows, m.valid = r.valid == 0 ? r.rows : r.valid, m.prefill = r.prefill;
  m.encoder_layers = r.encoder_layers;
  m.queries = r.rows, m.keys = r.keys;
  const bool gpt2 = r.architecture == Architecture::Gpt2;
  m.wide_variance = gpt2;
  const std::size_t keys = std::max(r.rows, r.keys);
  if (r.architecture == Architecture::CrossAttention) {
    m.layers.emplace_back();
    m.layers[0].attention = attention(g, r, keys, false);
    return m;
  }
  constexpr double kEmbedding = 1e6;
  const double inner = sum_deviation(r.f);
  const double middle = sum_deviation(r.d);
  EmbeddingConstants embedding;
  embedding.scale = 1;
  if (!gpt2) embedding.norm = norm(g, r.d, kEmbedding, false);
  m.embedding = embedding;
  if (r.architecture == Architecture::EncoderDecoder) {
    m.decoder_embedding = embedding;
    m.decoder_embedding->norm = norm(g, r.d, kEmbedding, false);
  }
  for (std::size_t n = 0; n < r.layers; ++n) {
    LayerWeights layer;
    layer.attention = attention(g, r, keys, true);
    residual(g, r, layer.attention.residual, middle, gpt2 ? (n == 0 ? kEmbedding : 1.5 * inner) : kActivation);
    if (r.architecture == Architecture::EncoderDecoder && n >= r.encoder_layers) {
      layer.cross = attention(g, r, keys, true);
      residual(g, r, layer.cross->residual, middle, kActivation);
      layer.norm_cross = norm(g, r.d, 1.5 * middle, false);
    }
    layer.norm1 = norm(g, r.d, 1.5 * middle, gpt2);
    layer.norm2 = norm(g, r.d, gpt2 ? 1.5 * middle : 1.5 * inner, gpt2);
    layer.w1 = g.weights(r.d, r.f);
    layer.b1 = g.bias(r.f, 5000);
    layer.w2 = g.weights(r.f, r.d);
    layer.b2 = g.bias(r.d, r.bias);
    residual(g, r, layer.ffn_residual, inner, gpt2 ? 1.5 * middle : kActivation);
    if (r.activation == Activation::Gelu) {
      double s = 1.5 / middle;
      while (s < 6e-3) s *= 2, ++layer.activation.pre_shift;
      const double se = -0.2888 * s * s / 2;
      layer.activation.qb = static_cast<std::int32_t>(-1.769 / (s / std::sqrt(2.0)));
      layer.activation.qc = static_cast<std::int32_t>(1 / se);
      layer.activation.scale = static_cast<float>(s * se / 2 / 0.03);
    } else {
      layer.activation.scale = static_cast<float>(kActivation / middle);
    }
    m.layers.push_back(std::move(layer));
  }
  if (gpt2) m.final_norm = norm(g, r.d, 1.5 * inner, true);
  if (r.vocabulary != 0) {
    m.language_head.emplace();
    m.language_head->w = g.weights(r.d, r.vocabulary);
    if (r.vocabulary % 2 == 0) m.language_head->b = g.bias(r.vocabulary, 5000);
  }
  return m;
}

TensorMap random_input(const RandomModel& r, unsigned seed) {
  Generator g(seed);
  const auto wide = [&](std::size_t rows) { return Tensor::from(g.bias(rows * r.d, 1700000).data(), {rows, r.d}); };
  const auto narrow = [&](std::size_t rows) {
    Matrix<std::int8_t> m(rows, r.d);
    for (std::int8_t& x : m.data) x = static_cast<std::int8_t>(g.integer(-70, 70));
    return Tensor::from(m);
  };
  switch (r.architecture) {
    case Architecture::Bert:
      return {{"act.-1.emb_i32", wide(r.rows)}};
    case Architecture::Gpt2:
      return {{"act.-1.h0", wide(r.rows)}};
    case Architecture::EncoderDecoder:
      return {{"act.-1.emb_i32", wide(r.keys)}, {"act.-1.demb_i32", wide(r.rows)}};
    case Architecture::CrossAttention:
      return {{"in.xq", narrow(r.rows)}, {"in.xkv", narrow(r.keys)}};
  }
  return {};
}

}  // namespace systole::workloads
