#pragma once
// The constants that a layer would have on stock units, whose accumulators are not shifted before the polynomials (workloads/quantise/constants.h).
#include <cmath>

#include "workloads/quantise/constants.h"
#include "workloads/quantise/quantised_model.h"

namespace systole::workloads {

inline void remove_pre_shift(LayerWeights& layer) {
  for (HeadWeights& head : layer.attention.heads) {
    head.exp = exp_constants(std::ldexp(head.score_scale, -head.pre_shift));
    head.probability_scale = static_cast<float>(127.0 / (static_cast<double>(head.exp.qb) * head.exp.qb + head.exp.qc));
    head.pre_shift = 0;
  }
  layer.norm1.pre_shift = layer.norm2.pre_shift = 0;
  const GeluConstants gelu = gelu_constants(layer.activation.in_scale, {});
  layer.activation.pre_shift = 0;
  layer.activation.qb = gelu.qb;
  layer.activation.qc = gelu.qc;
  layer.activation.scale = static_cast<float>(gelu.out_scale / layer.activation.out_scale);
}

}  // namespace systole::workloads
