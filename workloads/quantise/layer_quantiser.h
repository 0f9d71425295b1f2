#pragma once
// Chooses scales and integer constants of one layer from its float weights and calibrated ranges, and proves that no
// integer can leave its range.
#include <string>

#include "workloads/quantise/calibration.h"
#include "workloads/quantise/quantiser.h"

namespace systole::workloads {

// An int8 activation between layers: real value = integer * scale [* gamma + beta]. gamma is empty unless LayerNorm was
// folded.
struct Int8Stream {
  double scale = 0;
  std::vector<float> gamma, beta;
};

class LayerQuantiser {
 public:
  LayerQuantiser(const ModelConfig& config, const QuantiseOptions& options, bool wide_variance, std::size_t max_keys);

  // `x`: the layer's int8 input; becomes its output. `encoded`: the encoder's output for decoder layers, otherwise
  // null.
  [[nodiscard]] LayerWeights post_norm(std::size_t index, const FloatLayer& weights, const LayerRanges& ranges,
                                       Int8Stream& x, const Int8Stream* encoded) const;
  // `h_scale`: scale of the int32 residual; becomes that of the layer's output. `h_range`: largest magnitude of the
  // input.
  [[nodiscard]] LayerWeights pre_norm(std::size_t index, const FloatLayer& weights, const LayerRanges& ranges,
                                      double& h_scale, double h_range) const;
  // LayerNorm of int32 rows of scale `in_scale`; `out` is the int8 result. `name` stands for it in errors ("q.3.n1").
  [[nodiscard]] NormConstants norm(const std::string& name, const FloatNorm& norm, double in_scale,
                                   const NormRange& range, Int8Stream& out) const;
  // `x`: the int8 output of the last LayerNorm.
  [[nodiscard]] LanguageHead language_head(const FloatLanguageHead& head, const HeadRanges& ranges, Int8Stream x) const;

 private:
  struct ResidualInput {
    const Int8Stream* int8 = nullptr;  // post-LN
    double int32_scale = 0;            // pre-LN
    double int32_range = 0;
  };
  struct Projection {
    Matrix<std::int8_t> w;
    std::vector<std::int32_t> b;
    Residual residual;
    double out_scale = 0;
  };
  [[nodiscard]] HeadWeights head(const std::string& name, std::size_t layer, std::size_t h,
                                 const FloatAttention& weights, const Int8Stream& queries, const Int8Stream& keys,
                                 const AttentionRanges& ranges, double ctx_scale) const;
  [[nodiscard]] AttentionWeights heads(const std::string& name, std::size_t layer, const FloatAttention& weights,
                                       const Int8Stream& queries, const Int8Stream& keys,
                                       const AttentionRanges& ranges) const;
  // Product of an int8 activation of scale `in_scale` with all of `linear`, plus residual.
  [[nodiscard]] Projection projection(const std::string& weight_name, const std::string& residual_name, double in_scale,
                                      const FloatLinear& linear, const ResidualInput& residual) const;
  void project(AttentionWeights& attention, const std::string& prefix, const char* suffix, const FloatLinear& linear,
               const ResidualInput& residual) const;
  void first_half(LayerWeights& layer, const std::string& prefix, const FloatLinear& up, const Int8Stream& x,
                  const LayerRanges& ranges) const;
  void second_half(LayerWeights& layer, const std::string& prefix, const FloatLinear& down,
                   const ResidualInput& residual) const;
  // `before`, `after`: largest magnitudes in front of the activation and behind it.
  [[nodiscard]] ActivationConstants activation(const std::string& name, double in_scale,
                                               double before, double after) const;

  const ModelConfig& config_;
  const QuantiseOptions& options_;
  bool wide_variance_;
  std::size_t max_keys_;
};

}  // namespace systole::workloads
