#pragma once
// Symmetric int8 quantisation of weights with the clip that minimises the squared error.
#include <cstddef>
#include <cstdint>

#include "workloads/weights/tensor.h"

namespace systole::workloads {

// Scale S of q = clip(RNE(w / S), -127, 127): the best of 33 clips between 0.2 and 1.0 of the largest magnitude.
// `columns` of the row-major matrix starting at `first`. 1 for an all-zero block.
[[nodiscard]] double best_weight_scale(const Matrix<float>& w, std::size_t first, std::size_t columns);
[[nodiscard]] Matrix<std::int8_t> quantise_weights(const Matrix<float>& w, std::size_t first, std::size_t columns,
                                                   double scale);

}  // namespace systole::workloads
