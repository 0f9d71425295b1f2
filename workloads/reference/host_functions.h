#pragma once
// The non-linear operations of a model whose CPU computes them in floating point (QuantisedModel::host_functions), as an oracle for
// values. Conversions and additions are fp32, rounded one at a time; exponentials, roots and sums are double precision, rounded to
// fp32 once, so that neither their order nor the library matters. Shares no code with the simulator's host.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "workloads/quantise/quantised_model.h"

namespace systole::workloads::reference {

// Real values of the scales of one head's scores and weights.
struct HostSoftmax {
  float score_unit = 0;   // real value of a score of 1
  float weight_units = 0; // weight of 1.0 in units of int8
};
[[nodiscard]] HostSoftmax host_softmax_of(const HeadWeights& head);
// One row: the first `visible` of `count` weights; the others are 0.
void host_softmax_row(const std::int32_t* scores, std::size_t count, std::size_t visible, const HostSoftmax& scales,
                      std::int8_t* weights);

void host_gelu(const std::int32_t* sums, std::size_t count, const ActivationConstants& constants, std::int8_t* out);

[[nodiscard]] Matrix<float> host_dequantise(const Matrix<std::int32_t>& x, double unit);
[[nodiscard]] Matrix<float> host_dequantise(const Matrix<std::int8_t>& x, double unit);
void host_add(Matrix<float>& to, const Matrix<float>& x);
// LayerNorm with gamma and beta, quantised.
[[nodiscard]] Matrix<std::int8_t> host_norm(const Matrix<float>& x, const NormConstants& norm);

}  // namespace systole::workloads::reference
