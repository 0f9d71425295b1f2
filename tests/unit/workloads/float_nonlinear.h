#pragma once
// The yardstick of the recipe: int8 operands of every product, per tensor, and everything between the products in floating point. What the
// integer pipeline loses against it is the price of integer softmax, GELU and LayerNorm.
#include <cstdint>
#include <vector>

#include "workloads/quantise/metrics.h"
#include "workloads/weights/float_weights.h"

namespace systole::workloads {

// The first `layers` layers on `tokens`, calibrated as the quantiser is (random sequences of the same length); the last LayerNorm's int8
// output beside the float model's. Bert and Gpt2.
[[nodiscard]] ErrorMetrics accuracy_with_float_nonlinear(const WeightSource& source, std::size_t layers, const std::vector<std::int32_t>& tokens);

}  // namespace systole::workloads
