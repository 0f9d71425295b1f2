#pragma once
// Compares the integers of a quantised model with the float model they approximate, boundary by boundary.
#include <optional>
#include <string>
#include <vector>

#include "workloads/quantise/metrics.h"
#include "workloads/quantise/quantised_model.h"
#include "workloads/reference/float_model.h"
#include "workloads/weights/float_weights.h"

namespace systole::workloads {

struct BoundaryAccuracy {
  std::string name;
  ErrorMetrics metrics;
};

// Fed with boundaries in order of layers (as reference::evaluate reports them, or as a machine left them in memory),
// runs the float model of the same tokens beside them, one layer at a time.
class FloatComparison {
 public:
  // `target`: tokens of an EncoderDecoder's decoder. `valid`: encoder rows that are no padding; 0: as the model says. Source
  // and model must outlive the comparison.
  FloatComparison(const WeightSource& source, const QuantisedModel& model, const std::vector<std::int32_t>& tokens,
                  const std::vector<std::int32_t>& target = {}, std::size_t valid = 0);

  // Boundaries without a real-valued counterpart (scores, probabilities, sums) are passed over.
  void see(const std::string& name, const Tensor& boundary);
  [[nodiscard]] const std::vector<BoundaryAccuracy>& results() const { return results_; }
  // The output of the last layer, or of the final LayerNorm.
  [[nodiscard]] const ErrorMetrics& output() const;

 private:
  struct Real {
    const Matrix<float>* values = nullptr;
    double scale = 0;
    bool by_head = false;  // int8 [heads, rows, dk]; one scale per head
    std::vector<double> head_scales;
  };
  void advance_to(std::size_t layer);
  [[nodiscard]] std::optional<Real> find(std::size_t layer, const std::string& what, std::size_t rows);
  [[nodiscard]] std::optional<Real> in_head(const std::string& what, std::size_t rows);
  [[nodiscard]] std::optional<Real> in_attention(const AttentionWeights& weights,
                                                 const reference::AttentionTrace& trace, const std::string& what) const;
  void compare(const std::string& name, const Tensor& boundary, const Real& real);

  const WeightSource& source_;
  const QuantisedModel& model_;
  std::vector<std::int32_t> target_;
  std::size_t valid_;
  Matrix<float> x_;        // input of the next layer to run
  Matrix<float> encoded_;  // EncoderDecoder
  Matrix<float> scratch_;
  Matrix<float> logits_;
  std::optional<std::size_t> layer_;  // whose trace is held
  reference::LayerTrace trace_;
  std::optional<FloatLanguageHead> head_;
  std::optional<reference::HeadTrace> head_trace_;
  std::size_t output_ = 0;  // of results_
  std::vector<BoundaryAccuracy> results_;
};

}  // namespace systole::workloads
