#include "workloads/quantise/quantiser.h"

#include <cmath>
#include <functional>
#include <limits>

#include <gtest/gtest.h>

#include "tiny_checkpoint.h"
#include "without_pre_shift.h"
#include "workloads/quantise/accuracy.h"
#include "workloads/quantise/constants.h"
#include "workloads/quantise/layer_quantiser.h"
#include "workloads/quantise/weight_scale.h"
#include "workloads/reference/evaluate.h"
#include "workloads/weights/checkpoint.h"
#include "workloads/weights/random.h"

namespace systole::workloads {
namespace {

const std::string kData = std::string(SYSTOLE_TEST_DATA) + "/numerics/";

ModelConfig small(Architecture architecture) {
  ModelConfig config = find_model(architecture == Architecture::Bert   ? "bert-base"
                                  : architecture == Architecture::Gpt2 ? "gpt2"
                                                                       : "transformer-base");
  config.d = 96;
  config.f = 160;
  config.heads = 3;
  config.layers = 2;
  config.decoder_layers = architecture == Architecture::EncoderDecoder ? 2 : 0;
  config.vocabulary = 100;
  config.max_positions = 64;
  config.initializer_range = 0.06;  // at this width about what 0.02 is at 768
  return config;
}

// Random weights that a test can bend.
class BentWeights final : public WeightSource {
 public:
  using Bend = std::function<void(FloatLayer&)>;
  BentWeights(ModelConfig config, Bend bend) : weights_(std::move(config), 7), bend_(std::move(bend)) {}

  [[nodiscard]] const ModelConfig& config() const override { return weights_.config(); }
  [[nodiscard]] FloatLayer layer(std::size_t index) const override {
    FloatLayer layer = weights_.layer(index);
    bend_(layer);
    return layer;
  }
  [[nodiscard]] Matrix<float> embed(Side side, const std::vector<std::int32_t>& tokens,
                                    std::size_t first) const override {
    return weights_.embed(side, tokens, first);
  }
  [[nodiscard]] FloatNorm embedding_norm(Side side) const override { return bent(weights_.embedding_norm(side)); }
  [[nodiscard]] FloatNorm final_norm() const override { return bent(weights_.final_norm()); }
  [[nodiscard]] EmbeddingTables embedding_tables(Side side) const override { return weights_.embedding_tables(side); }
  [[nodiscard]] FloatLanguageHead language_head() const override { return weights_.language_head(); }
  [[nodiscard]] bool has_language_head() const override { return true; }

  // gamma 0.5..1.5 and beta -0.3..0.3.
  static FloatNorm bent(FloatNorm norm) {
    for (std::size_t j = 0; j < norm.gamma.size(); ++j) {
      norm.gamma[j] = 0.5F + static_cast<float>(j * 37 % 101) / 100.0F;
      norm.beta[j] = static_cast<float>(j * 53 % 61) / 100.0F - 0.3F;
    }
    return norm;
  }

 private:
  RandomWeights weights_;
  Bend bend_;
};

void bend_norms(FloatLayer& layer) {
  layer.norm1 = BentWeights::bent(layer.norm1);
  layer.norm2 = BentWeights::bent(layer.norm2);
  if (layer.cross) {
    layer.norm_cross = BentWeights::bent(layer.norm_cross);
  }
}

struct Outcome {
  ErrorMetrics output;
  std::uint64_t overflows = 0;
  std::size_t boundaries = 0;
};

// Quantises, evaluates one unseen sequence and compares it with the float model.
Outcome accuracy(const WeightSource& weights, const QuantiseOptions& options) {
  const QuantisedModel model = quantise(weights, options);
  const auto tokens = random_tokens(weights.config(), options.sequence, options.seed, 1000);
  const bool two_sided = model.architecture == Architecture::EncoderDecoder;
  const auto target =
      two_sided ? random_tokens(weights.config(), model.queries, options.seed, 1001) : std::vector<std::int32_t>{};
  FloatComparison comparison(weights, model, tokens, target);
  reference::OverflowCounters overflows;
  reference::evaluate(
      model, embedded_inputs(weights, tokens, target),
      [&](const std::string& name, Tensor tensor) { comparison.see(name, tensor); }, overflows);
  return {comparison.output(), overflows.total(), comparison.results().size()};
}

QuantiseOptions options_for(std::size_t sequence) {
  QuantiseOptions options;
  options.sequence = sequence;
  return options;
}

TEST(WeightScale, stored_models_have_the_same_integers) {
  const TemporaryFolder folder;
  tiny_bert().write(folder);
  const CheckpointWeights weights(folder.path());
  const QuantisedModel stored = load_quantised_model(kData + "bert_tiny.safetensors");
  const QuantisedModel ours = quantise(weights, options_for(16));
  ASSERT_EQ(ours.layers.size(), stored.layers.size());
  for (std::size_t index = 0; index < stored.layers.size(); ++index) {
    const LayerWeights& a = ours.layers[index];
    const LayerWeights& b = stored.layers[index];
    EXPECT_EQ(a.w1.data, b.w1.data);
    EXPECT_EQ(a.w2.data, b.w2.data);
    EXPECT_EQ(a.attention.wo.data, b.attention.wo.data);
    for (std::size_t h = 0; h < stored.heads; ++h) {
      EXPECT_EQ(a.attention.heads[h].wq.data, b.attention.heads[h].wq.data);
      EXPECT_EQ(a.attention.heads[h].wk.data, b.attention.heads[h].wk.data);
      EXPECT_EQ(a.attention.heads[h].wv.data, b.attention.heads[h].wv.data);
    }
  }
}

TEST(WeightScale, clips_outliers_and_survives_zeros) {
  Matrix<float> w(512, 64);  // enough ordinary weights to make up for the error of one that is clipped
  for (std::size_t i = 0; i < w.size(); ++i) {
    w.data[i] = static_cast<float>(i % 201) / 100.0F - 1.0F;
  }
  EXPECT_NEAR(best_weight_scale(w, 0, 64), 1.0 / 127, 0.03 / 127);
  w.at(5, 5) = 1.3F;
  EXPECT_LT(best_weight_scale(w, 0, 64), 1.28 / 127);
  EXPECT_EQ(best_weight_scale(Matrix<float>(4, 4), 0, 4), 1.0);
}

TEST(Constants, stored_models_have_the_same_constants) {
  for (const char* name : {"bert_tiny", "bert_tiny_fold", "gpt2_tiny", "xattn_odd"}) {
    const QuantisedModel model = load_quantised_model(kData + name + ".safetensors");
    for (const LayerWeights& layer : model.layers) {
      for (const HeadWeights& head : layer.attention.heads) {
        const ExpConstants c = exp_constants(head.score_scale);
        EXPECT_EQ(c.qb, head.exp.qb);
        EXPECT_EQ(c.qc, head.exp.qc);
        EXPECT_EQ(c.qln2, head.exp.qln2);
        EXPECT_EQ(c.qln2_inv, head.exp.qln2_inv);
        const double raw = head.sq * head.sk / std::sqrt(static_cast<double>(model.dk()));
        const std::size_t rows = model.architecture == Architecture::CrossAttention ? model.keys : model.sequence;
        EXPECT_EQ(pre_shift_for(raw, smallest_exp_scale(rows)), head.pre_shift);
        if (model.probability_form == ProbabilityForm::Deferred) {
          const double peak = static_cast<double>(c.qb) * c.qb + c.qc;
          EXPECT_FLOAT_EQ(static_cast<float>(127.0 / peak), head.probability_scale);
        }
      }
      if (!layer.w1.empty()) {
        // qb = -1.769 sqrt(2) / S, so S is known to within half a unit of qb.
        const double scale = -1.769 * std::sqrt(2.0) / (layer.activation.qb - 0.5);
        EXPECT_NEAR(gelu_constants(scale, {}).qc, layer.activation.qc,
                    1.5 * std::fabs(2.0 * layer.activation.qc / layer.activation.qb));
      }
    }
  }
}

// Published errors of the two polynomials over the scales in use.
TEST(Constants, integer_functions_are_as_close_as_published) {
  reference::OverflowCounters overflows;
  for (const double scale : {4e-3, 5.5e-3, 8e-3}) {
    const GeluConstants c = gelu_constants(scale, {});
    double worst = 0;
    for (double x = -8; x <= 8; x += 0.001) {
      const auto q = static_cast<std::int32_t>(std::nearbyint(x / scale));
      const double exact = q * scale * 0.5 * (1 + std::erf(q * scale / std::sqrt(2.0)));
      worst = std::max(worst, std::fabs(reference::integer_gelu(q, c.qb, c.qc, overflows) * c.out_scale - exact));
    }
    EXPECT_LE(worst, 0.023) << scale;
  }
  EXPECT_EQ(overflows.total(), 0U);
  for (const double scale : {4e-4, 8e-4, 2.5e-3}) {
    const ExpConstants c = exp_constants(scale);
    const reference::ExpParameters parameters{c.qb, c.qc, c.qln2, c.qln2_inv};
    const double one = reference::integer_exp(0, parameters);
    double worst = 0;
    for (double x = -12; x <= 0; x += 0.001) {
      const auto q = static_cast<std::int32_t>(std::nearbyint(x / scale));
      worst = std::max(worst, std::fabs(reference::integer_exp(q, parameters) / one - std::exp(q * scale)));
    }
    EXPECT_LE(worst, 0.003) << scale;
  }
}

class SmallModels : public ::testing::TestWithParam<std::tuple<Architecture, NormForm, ProbabilityForm>> {};

TEST_P(SmallModels, stay_close_to_float_without_overflow) {
  const auto [architecture, norm, probability] = GetParam();
  const BentWeights weights(small(architecture), bend_norms);
  QuantiseOptions options = options_for(24);
  options.queries = architecture == Architecture::EncoderDecoder ? 17 : 0;
  options.norm_form = norm;
  options.probability_form = probability;
  const Outcome outcome = accuracy(weights, options);
  EXPECT_GT(outcome.output.sqnr_db(), 23.0);
  EXPECT_GT(outcome.output.cosine(), 0.997);
  EXPECT_EQ(outcome.overflows, 0U);
  EXPECT_GE(outcome.boundaries, 20U);
}

INSTANTIATE_TEST_SUITE_P(All, SmallModels,
                         ::testing::Combine(::testing::Values(Architecture::Bert, Architecture::Gpt2,
                                                              Architecture::EncoderDecoder),
                                            ::testing::Values(NormForm::Affine, NormForm::Fold),
                                            ::testing::Values(ProbabilityForm::Deferred, ProbabilityForm::Calibrated)));

TEST(Quantiser, checkpoints_of_two_sides_are_quantised) {
  const TemporaryFolder folder;
  tiny_encoder_decoder().write(folder);
  const CheckpointWeights weights(folder.path());
  QuantiseOptions options = options_for(20);
  options.queries = 11;
  options.valid = 13;
  EXPECT_GT(accuracy(weights, options).output.sqnr_db(), 20.0);
}

TEST(Quantiser, result_does_not_depend_on_threads) {
  const TemporaryFolder folder;
  const RandomWeights weights(small(Architecture::EncoderDecoder), 3);
  for (const unsigned threads : {1U, 3U}) {
    QuantiseOptions options = options_for(20);
    options.threads = threads;
    options.language_head = true;
    save_quantised_model(folder.file(std::to_string(threads)), quantise(weights, options));
  }
  EXPECT_EQ(read_file(folder.file("1")), read_file(folder.file("3")));
}

TEST(Quantiser, weights_can_be_left_out) {
  const RandomWeights weights(small(Architecture::EncoderDecoder), 3);
  QuantiseOptions options = options_for(20);
  options.language_head = true;
  const QuantisedModel whole = quantise(weights, options);
  options.keep_weights = false;
  const QuantisedModel sizes = quantise(weights, options);
  ASSERT_EQ(sizes.layers.size(), whole.layers.size());
  const auto same_size = [](const Matrix<std::int8_t>& a, const Matrix<std::int8_t>& b) {
    EXPECT_TRUE(a.data.empty() && a.data.capacity() == 0);
    EXPECT_EQ(a.rows, b.rows);
    EXPECT_EQ(a.cols, b.cols);
  };
  for (std::size_t i = 0; i < whole.layers.size(); ++i) {
    const LayerWeights &a = sizes.layers[i], &b = whole.layers[i];
    same_size(a.w1, b.w1), same_size(a.w2, b.w2), same_size(a.attention.wo, b.attention.wo);
    same_size(a.attention.heads[0].wq, b.attention.heads[0].wq);
    EXPECT_EQ(a.b2, b.b2);
    EXPECT_EQ(a.ffn_residual.scale, b.ffn_residual.scale);
    EXPECT_EQ(a.attention.heads[1].exp.qb, b.attention.heads[1].exp.qb);
    if (b.cross) same_size(a.cross->wo, b.cross->wo);
  }
  same_size(sizes.language_head->w, whole.language_head->w);
}

TEST(Quantiser, a_saved_model_computes_the_same) {
  const TemporaryFolder folder;
  for (const Architecture architecture : {Architecture::Bert, Architecture::Gpt2, Architecture::EncoderDecoder}) {
    const RandomWeights weights(small(architecture), 3);
    QuantiseOptions options = options_for(12);
    options.norm_form = NormForm::Fold;
    options.language_head = true;
    const QuantisedModel model = quantise(weights, options);
    save_quantised_model(folder.file("m"), model);
    const QuantisedModel loaded = load_quantised_model(folder.file("m"));
    const auto tokens = random_tokens(weights.config(), 12, 1, 0);
    const TensorMap inputs = embedded_inputs(weights, tokens, tokens);
    const TensorMap a = reference::evaluate(model, inputs);
    const TensorMap b = reference::evaluate(loaded, inputs);
    ASSERT_EQ(a.size(), b.size());
    for (const auto& [name, tensor] : a) {
      EXPECT_EQ(tensor.bytes, b.at(name).bytes) << name;
    }
    EXPECT_EQ(loaded.host_gamma, model.host_gamma);
    EXPECT_EQ(a.count("act." + std::to_string(model.layers.size()) + ".logits"), 1U);
    EXPECT_EQ(model.language_head->transform.has_value(), architecture == Architecture::Bert);
  }
}

TEST(Quantiser, generation_equals_evaluation_for_both_decoders) {
  for (const Architecture architecture : {Architecture::Gpt2, Architecture::EncoderDecoder}) {
    const RandomWeights weights(small(architecture), 4);
    const QuantisedModel model = quantise(weights, options_for(10));
    const auto tokens = random_tokens(weights.config(), 10, 1, 50);
    const TensorMap whole = reference::evaluate(model, embedded_inputs(weights, tokens, tokens));
    const std::size_t last_layer = model.layers.size();
    reference::OverflowCounters overflows;
    const reference::BoundarySink ignore = [](const std::string&, Tensor) {};
    if (architecture == Architecture::Gpt2) {
      const Tensor& expected = whole.at("act." + std::to_string(last_layer) + ".lnf");
      reference::Decoder decoder(model);
      for (std::size_t r = 0; r < 10; ++r) {
        Matrix<std::int32_t> row(1, model.d);
        std::copy_n(whole.at("act.-1.h0").as<std::int32_t>() + r * model.d, model.d, row.data.begin());
        const Matrix<std::int8_t> y = decoder.append(row, ignore, overflows);
        EXPECT_TRUE(std::equal(y.data.begin(), y.data.end(), expected.as<std::int8_t>() + r * model.d)) << r;
      }
      continue;
    }
    Matrix<std::int8_t> encoded(10, model.d);
    std::copy_n(whole.at("act." + std::to_string(model.encoder_layers - 1) + ".ln2").as<std::int8_t>(), encoded.size(),
                encoded.data.begin());
    const Tensor& expected = whole.at("act." + std::to_string(last_layer - 1) + ".ln2");
    reference::Decoder decoder(model, encoded, model.valid, overflows);
    for (std::size_t r = 0; r < 10; ++r) {
      Matrix<std::int8_t> row(1, model.d);
      std::copy_n(whole.at("act.-1.y0").as<std::int8_t>() + r * model.d, model.d, row.data.begin());
      const Matrix<std::int8_t> y = decoder.append(row, ignore, overflows);
      EXPECT_TRUE(std::equal(y.data.begin(), y.data.end(), expected.as<std::int8_t>() + r * model.d)) << r;
    }
  }
}

std::string error_of(const BentWeights::Bend& bend, const QuantiseOptions& options = options_for(12)) {
  const BentWeights weights(small(Architecture::Bert), bend);
  try {
    (void)quantise(weights, options);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Quantiser, weights_that_cannot_be_served_are_named) {
  const auto names = [](const std::string& error, const char* tensor) {
    EXPECT_NE(error.find(tensor), std::string::npos) << error;
  };
  names(error_of([](FloatLayer& layer) { layer.up.w.at(3, 3) = std::numeric_limits<float>::quiet_NaN(); }), "q.0.");
  names(error_of([](FloatLayer& layer) { layer.down.w.at(3, 3) = std::numeric_limits<float>::infinity(); }), "q.0.");
  names(error_of([](FloatLayer& layer) {
          // A bias far beyond what the weights can produce.
          for (float& w : layer.attention.q.w.data) w *= 1e-9F;
          layer.attention.q.b[2] = 1e3F;
        }),
        "q.0.at.0.bq");
  names(error_of([](FloatLayer& layer) {
          for (FloatLinear* linear : {&layer.attention.q, &layer.attention.k}) {
            for (float& w : linear->w.data) w *= 100.0F;
          }
        }),
        "qln2");
  names(error_of([](FloatLayer& layer) {
          // The projection is negligible, so its scale cannot hold the residual.
          for (float& w : layer.attention.o.w.data) w *= 1e-12F;
        }),
        "q.0.");
  EXPECT_EQ(error_of([](FloatLayer&) {}), "accepted");
}

// Each of the checks that keep an integer in range, with weights that only it can refuse.
TEST(CompileTimeChecks, fail_with_the_tensor_and_the_reason) {
  const auto says = [](const std::string& error, const char* tensor, const char* reason) {
    EXPECT_NE(error.find(tensor), std::string::npos) << error;
    EXPECT_NE(error.find(reason), std::string::npos) << error;
  };
  const auto times = [](FloatLinear& linear, float factor) {
    for (float& w : linear.w.data) w *= factor;
  };
  // Sums of exponentials: scores so small that no pre-shift makes them coarse enough.
  says(error_of([&](FloatLayer& layer) { times(layer.attention.q, 1e-12F), times(layer.attention.k, 1e-12F); }), "q.0.at.0.sh",
       "exponentials of scale");
  // Halvings of the exponential: scores too coarse.
  says(error_of([&](FloatLayer& layer) { times(layer.attention.q, 100.0F), times(layer.attention.k, 100.0F); }), "q.0.at.0.c",
       "outside 64..8192");
  // GELU.
  says(error_of([&](FloatLayer& layer) { times(layer.up, 1e-18F); }), "q.0.ge.c", "need a pre-shift above 31");
  // Biases beside products.
  says(error_of([&](FloatLayer& layer) { times(layer.attention.q, 1e-9F), layer.attention.q.b[2] = 1e3F; }), "q.0.at.0.bq",
       "does not fit int32");
  says(error_of([&](FloatLayer& layer) { layer.down.b[3] = 1e8F; }), "q.0.W2", "does not fit int32");
  // Residuals.
  says(error_of([&](FloatLayer& layer) { times(layer.attention.o, 1e-12F); }), "q.0.ro", "the residual is up to");
  // Scales that fp32 does not have.
  says(error_of([](FloatLayer& layer) {
         std::fill(layer.norm1.gamma.begin(), layer.norm1.gamma.end(), 1e-43F);
         std::fill(layer.norm1.beta.begin(), layer.norm1.beta.end(), 0.0F);
       }),
       "q.0.n1.a", "no finite non-zero fp32 number");
}

TEST(CompileTimeChecks, of_parts_that_whole_models_never_reach) {
  // LayerNorm without 64-bit sums.
  const ModelConfig config = small(Architecture::Bert);
  const QuantiseOptions options = options_for(12);
  const LayerQuantiser layer(config, options, false, 64);
  Int8Stream out;
  const FloatNorm norm{std::vector<float>(config.d, 1.0F), std::vector<float>(config.d, 0.0F)};
  try {
    (void)layer.norm("q.3.n1", norm, 1e-20, {1.0, 3.0}, out);
    ADD_FAILURE() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("q.3.n1.sh': rows of standard deviation 1"), std::string::npos) << error.what();
  }
  EXPECT_NO_THROW((void)layer.norm("q.3.n1", norm, 1e-6, {1.0, 3.0}, out));
  // Masks.
  HeadWeights head;
  head.exp.qln2 = 8192;
  head.pre_shift = 12;
  EXPECT_THROW((void)mask_magnitude(64, head), ConfigError);
  head.pre_shift = 11;
  EXPECT_LT(mask_magnitude(64, head), 1 << 30);
}

TEST(CompileTimeChecks, the_residual_stream_of_gpt2_fits_its_integers) {
  const BentWeights weights(small(Architecture::Gpt2), [](FloatLayer& layer) {
    for (float& w : layer.down.w.data) w *= 1e-12F;
  });
  try {
    (void)quantise(weights, options_for(12));
    ADD_FAILURE() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("q.0.r2': the residual is up to"), std::string::npos) << error.what();
  }
}

// In a model a sum that is too large for the stream has operands that are refused first; with ranges of its own the check stands alone.
TEST(CompileTimeChecks, both_sums_of_a_pre_norm_layer_fit_the_residual_stream) {
  const ModelConfig config = small(Architecture::Gpt2);
  const QuantiseOptions options = options_for(12);
  const LayerQuantiser quantiser(config, options, true, 64);
  const FloatLayer weights = RandomWeights(config, 3).layer(0);
  LayerRanges ranges;
  for (std::vector<double>* heads : {&ranges.attention.q, &ranges.attention.k, &ranges.attention.v, &ranges.attention.p}) heads->assign(config.heads, 1.0);
  ranges.attention.ctx = ranges.attention.sum = ranges.ffn_sum = ranges.before_activation = ranges.activation = 1.0;
  ranges.norm1 = ranges.norm2 = {1.0, 3.0};
  const auto error = [&] {
    double scale = 1e-6;
    try {
      (void)quantiser.pre_norm(5, weights, ranges, scale, 1.0);
    } catch (const ConfigError& refused) {
      return std::string(refused.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(error(), "accepted");
  ranges.ffn_sum = 1e6;
  EXPECT_EQ(error(), "cannot quantise 'q.5.W2': the residual stream does not fit int32");
  ranges.attention.sum = 1e6;
  EXPECT_EQ(error(), "cannot quantise 'q.5.Wo': the residual stream does not fit int32");
}

// What the pre-shift is for: the same constants without it wrap, and the counters say where.
TEST(Negative, without_pre_shift_integers_overflow_and_nothing_is_left) {
  ModelConfig config = small(Architecture::Bert);
  config.layers = 1;
  const RandomWeights weights(config, 3);
  QuantisedModel model = quantise(weights, options_for(32));
  const auto tokens = random_tokens(config, 32, 1, 50);
  const auto measure = [&](reference::OverflowCounters& overflows) {
    FloatComparison comparison(weights, model, tokens);
    reference::evaluate(
        model, embedded_inputs(weights, tokens), [&](const std::string& name, Tensor tensor) { comparison.see(name, tensor); }, overflows);
    return comparison.output().sqnr_db();
  };
  reference::OverflowCounters none;
  EXPECT_GT(measure(none), 20.0);
  EXPECT_EQ(none.total(), 0U);
  remove_pre_shift(model.layers[0]);
  reference::OverflowCounters overflows;
  EXPECT_LT(measure(overflows), 10.0);
  EXPECT_GT(overflows.gelu, 0U);
  EXPECT_GT(overflows.total(), 100U);
}

TEST(Quantiser, options_out_of_range_are_refused) {
  const BentWeights::Bend none = [](FloatLayer&) {};
  QuantiseOptions options = options_for(65);
  EXPECT_NE(error_of(none, options), "accepted");
  options = options_for(0);
  EXPECT_NE(error_of(none, options), "accepted");
  options = options_for(12);
  options.valid = 13;
  EXPECT_NE(error_of(none, options), "accepted");
  options = options_for(12);
  options.calibration_sequences = 0;
  EXPECT_NE(error_of(none, options), "accepted");
}

TEST(Metrics, of_known_vectors) {
  ErrorMetrics metrics;
  metrics.add(3.0, 3.0);
  metrics.add(4.0, 4.5);
  EXPECT_DOUBLE_EQ(metrics.max_abs(), 0.5);
  EXPECT_DOUBLE_EQ(metrics.sqnr_db(), 20.0);
  EXPECT_NEAR(metrics.cosine(), (9 + 18) / (5 * std::sqrt(9 + 20.25)), 1e-12);
  ErrorMetrics equal;
  equal.add(1.0, 1.0);
  EXPECT_TRUE(std::isinf(equal.sqnr_db()));
}

}  // namespace
}  // namespace systole::workloads
