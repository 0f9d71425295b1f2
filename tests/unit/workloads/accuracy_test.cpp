// Accuracy of whole layers of published size against float, for weights as Hugging Face initialises them.
#include <gtest/gtest.h>

#include "workloads/quantise/accuracy.h"
#include "workloads/quantise/quantiser.h"
#include "workloads/reference/evaluate.h"
#include "workloads/weights/random.h"

namespace systole::workloads {
namespace {

ErrorMetrics output_accuracy(const char* name, std::size_t sequence, ProbabilityForm form) {
  const RandomWeights weights(find_model(name), 1);
  QuantiseOptions options;
  options.sequence = sequence;
  options.layers = 1;
  options.probability_form = form;
  const QuantisedModel model = quantise(weights, options);
  const auto tokens = random_tokens(weights.config(), sequence, 1, 1000);
  FloatComparison comparison(weights, model, tokens);
  reference::OverflowCounters overflows;
  reference::evaluate(
      model, embedded_inputs(weights, tokens),
      [&](const std::string& boundary, Tensor tensor) { comparison.see(boundary, tensor); }, overflows);
  EXPECT_EQ(overflows.total(), 0U);
  return comparison.output();
}

TEST(Accuracy, of_a_bert_base_layer) {
  for (const ProbabilityForm form : {ProbabilityForm::Deferred, ProbabilityForm::Calibrated}) {
    const ErrorMetrics metrics = output_accuracy("bert-base", 128, form);
    EXPECT_GE(metrics.cosine(), 0.9995);
    EXPECT_GE(metrics.sqnr_db(), 31.0);
    EXPECT_LE(metrics.max_abs(), 0.15 * metrics.reference_max());
  }
}

TEST(Accuracy, of_a_gpt2_layer) {
  const ErrorMetrics metrics = output_accuracy("gpt2", 128, ProbabilityForm::Deferred);
  EXPECT_GE(metrics.cosine(), 0.997);
  EXPECT_GE(metrics.sqnr_db(), 23.0);
}

// Flat attention over 512 keys has no probability that 1/127 can express.
TEST(Accuracy, collapses_with_the_stock_scale_of_probabilities) {
  EXPECT_LT(output_accuracy("bert-base", 512, ProbabilityForm::Fixed127).sqnr_db(), 18.0);
}

}  // namespace
}  // namespace systole::workloads
