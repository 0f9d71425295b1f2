#pragma once
// Ranges of the activations of one layer, gathered from float runs.
#include <vector>

#include "workloads/quantise/quantised_model.h"
#include "workloads/reference/float_model.h"

namespace systole::workloads {

struct AttentionRanges {
  std::vector<double> q, k, v;  // largest magnitude per head
  std::vector<double> p;        // largest probability per head
  double ctx = 0;
  double sum = 0;  // output projection + residual
};

struct NormRange {
  double deviation = 0;  // largest standard deviation of an input row
  double output = 0;     // largest magnitude: with gamma and beta (Affine) or without (Fold)
};

// Of a language-model head with a transform.
struct HeadRanges {
  double before_activation = 0;
  double activation = 0;
  NormRange norm;
};

struct LayerRanges {
  AttentionRanges attention, cross;
  NormRange norm1, norm_cross, norm2;
  double before_activation = 0;
  double activation = 0;
  double ffn_sum = 0;

  void merge(const LayerRanges& other);
};

[[nodiscard]] NormRange norm_range(const Matrix<float>& input, const Matrix<float>& affine_output, NormForm form,
                                   double epsilon);
// `x`: output of the last layer, after its LayerNorm. Merges into `ranges`.
void merge_head_ranges(const ModelConfig& config, const FloatLanguageHead::Transform& transform, const Matrix<float>& x,
                       NormForm form, HeadRanges& ranges);
// `x` is the layer's input.
[[nodiscard]] LayerRanges ranges_of(const ModelConfig& config, const Matrix<float>& x,
                                    const reference::LayerTrace& trace, NormForm form);

}  // namespace systole::workloads
