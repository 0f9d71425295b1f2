// Accuracy of models of published size against float, for weights as Hugging Face initialises them.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "float_nonlinear.h"
#include "trained_like.h"
#include "without_pre_shift.h"
#include "workloads/quantise/accuracy.h"
#include "workloads/quantise/constants.h"
#include "workloads/quantise/quantiser.h"
#include "workloads/reference/evaluate.h"
#include "workloads/weights/random.h"

namespace systole::workloads {
namespace {

constexpr std::uint64_t kUnseen = 1000;   // stream of the tokens, away from those of the calibration

struct Outcome {
  ErrorMetrics output;
  reference::OverflowCounters overflows;
};

// `change`: what happens to the quantised model before it runs.
Outcome evaluate_model(const WeightSource& weights, const QuantiseOptions& options, const std::function<void(QuantisedModel&)>& change = {}) {
  QuantisedModel model = quantise(weights, options);
  if (change) change(model);
  const auto tokens = random_tokens(weights.config(), options.sequence, 1, kUnseen);
  FloatComparison comparison(weights, model, tokens);
  Outcome outcome;
  reference::evaluate(
      model, embedded_inputs(weights, tokens), [&](const std::string& boundary, Tensor tensor) { comparison.see(boundary, tensor); }, outcome.overflows);
  outcome.output = comparison.output();
  return outcome;
}

QuantiseOptions options_for(std::size_t sequence, std::size_t layers, ProbabilityForm form = ProbabilityForm::Deferred) {
  QuantiseOptions options;
  options.sequence = sequence;
  options.layers = layers;
  options.probability_form = form;
  options.threads = 2;
  return options;
}

struct Case {
  const char* name;
  const char* model;
  std::size_t sequence, layers;
  ProbabilityForm form;
  double cosine, sqnr_db, max_abs;   // the last relative to the largest value
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class Accuracy : public testing::TestWithParam<Case> {};

TEST_P(Accuracy, is_as_the_recipe_promises) {
  const Case& c = GetParam();
  const RandomWeights weights(find_model(c.model), 1);
  const Outcome outcome = evaluate_model(weights, options_for(c.sequence, c.layers, c.form));
  EXPECT_GE(outcome.output.cosine(), c.cosine);
  EXPECT_GE(outcome.output.sqnr_db(), c.sqnr_db);
  EXPECT_LE(outcome.output.max_abs(), c.max_abs * outcome.output.reference_max());
  EXPECT_EQ(outcome.overflows.total(), 0U);
}

constexpr ProbabilityForm kDeferred = ProbabilityForm::Deferred, kCalibrated = ProbabilityForm::Calibrated;

INSTANTIATE_TEST_SUITE_P(Of, Accuracy,
                         testing::Values(Case{"bert_layer_128", "bert-base", 128, 1, kDeferred, 0.9995, 31, 0.15},
                                         Case{"bert_layer_128_calibrated", "bert-base", 128, 1, kCalibrated, 0.9995, 31, 0.15},
                                         Case{"bert_layer_512", "bert-base", 512, 1, kDeferred, 0.9995, 31, 0.15},
                                         Case{"bert_layer_512_calibrated", "bert-base", 512, 1, kCalibrated, 0.9995, 31, 0.15},
                                         Case{"bert_128", "bert-base", 128, 12, kDeferred, 0.996, 21.5, 0.25},
                                         Case{"bert_128_calibrated", "bert-base", 128, 12, kCalibrated, 0.996, 21.5, 0.25},
                                         Case{"bert_512", "bert-base", 512, 12, kDeferred, 0.996, 21.5, 0.25},
                                         Case{"gpt2_layer_128", "gpt2", 128, 1, kDeferred, 0.997, 23, 0.15},
                                         Case{"gpt2_128", "gpt2", 128, 12, kDeferred, 0.997, 23, 0.15},
                                         Case{"gpt2_layer_512", "gpt2", 512, 1, kDeferred, 0.996, 21.5, 0.15},
                                         Case{"gpt2_512", "gpt2", 512, 12, kDeferred, 0.997, 23, 0.15}),
                         [](const auto& info) { return info.param.name; });

// Weights with the traits of trained ones. Only direction and energy are promised: single values above the calibrated range saturate.
struct Stress {
  const char* name;
  const char* model;
  std::size_t sequence, layers;
  double cosine, sqnr_db;
};

std::ostream& operator<<(std::ostream& out, const Stress& s) { return out << s.name; }

class TrainedLike : public testing::TestWithParam<Stress> {};

TEST_P(TrainedLike, weights_stay_close_to_float) {
  const Stress& s = GetParam();
  ModelConfig config = find_model(s.model);
  config.layers = s.layers;
  const TrainedLikeWeights weights(config, 1);
  const Outcome outcome = evaluate_model(weights, options_for(s.sequence, s.layers));
  EXPECT_GE(outcome.output.cosine(), s.cosine);
  EXPECT_GE(outcome.output.sqnr_db(), s.sqnr_db);
  EXPECT_EQ(outcome.overflows.total(), 0U);
  if (s.layers != 1) return;
  const auto tokens = random_tokens(config, s.sequence, 1, kUnseen);
  EXPECT_LE(accuracy_with_float_nonlinear(weights, 1, tokens).sqnr_db() - outcome.output.sqnr_db(), 1.0);
}

INSTANTIATE_TEST_SUITE_P(Of, TrainedLike,
                         testing::Values(Stress{"bert_layer_128", "bert-base", 128, 1, 0.996, 22}, Stress{"bert_layer_512", "bert-base", 512, 1, 0.996, 22},
                                         Stress{"bert_128", "bert-base", 128, 12, 0.94, 9.5}, Stress{"gpt2_layer_128", "gpt2", 128, 1, 0.994, 19.5},
                                         Stress{"gpt2_layer_512", "gpt2", 512, 1, 0.994, 19.5}, Stress{"gpt2_128", "gpt2", 128, 12, 0.975, 13}),
                         [](const auto& info) { return info.param.name; });

// What integer softmax, GELU and LayerNorm cost beside int8 products, with the same weights.
TEST(AccuracyLost, to_integer_functions_is_small) {
  struct Limit {
    const char* model;
    std::size_t layers;
    double db;
  };
  for (const Limit& limit : {Limit{"bert-base", 1, 1.0}, Limit{"bert-base", 12, 1.2}, Limit{"gpt2", 1, 3.0}, Limit{"gpt2", 12, 3.0}}) {
    const RandomWeights weights(find_model(limit.model), 1);
    const double integers = evaluate_model(weights, options_for(128, limit.layers)).output.sqnr_db();
    const double yardstick = accuracy_with_float_nonlinear(weights, limit.layers, random_tokens(weights.config(), 128, 1, kUnseen)).sqnr_db();
    EXPECT_LE(yardstick - integers, limit.db) << limit.model << ", " << limit.layers << " layers: " << yardstick << " and " << integers << " dB";
    EXPECT_GT(yardstick, 20.0);   // a yardstick that is wrong would allow anything
  }
}

// Flat attention over 512 keys has no probability that 1/127 can express.
TEST(AccuracyLost, with_the_stock_scale_of_probabilities) {
  const RandomWeights weights(find_model("bert-base"), 1);
  EXPECT_LT(evaluate_model(weights, options_for(512, 1, ProbabilityForm::Fixed127)).output.sqnr_db(), 18.0);
}

// Without the pre-shift accumulators are too wide for 32-bit polynomials and sums.
TEST(AccuracyLost, without_pre_shift) {
  const RandomWeights weights(find_model("bert-base"), 1);
  const Outcome outcome = evaluate_model(weights, options_for(128, 1), [](QuantisedModel& model) { remove_pre_shift(model.layers[0]); });
  EXPECT_LT(outcome.output.sqnr_db(), 10.0);
  EXPECT_GT(outcome.overflows.gelu, 0U);
  EXPECT_GT(outcome.overflows.variance, 0U);
}

}  // namespace
}  // namespace systole::workloads
