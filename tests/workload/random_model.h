#pragma once
// Quantised models of any size with random weights and constants in the ranges that a calibration would give.
#include <random>

#include "workloads/quantise/quantised_model.h"

namespace systole::workloads {

struct RandomModel {
  Architecture architecture = Architecture::Bert;
  NormForm norm_form = NormForm::Affine;
  ProbabilityForm probability_form = ProbabilityForm::Deferred;
  Activation activation = Activation::Gelu;
  std::size_t d = 64, f = 128, heads = 4, layers = 1;
  std::size_t encoder_layers = 0;
  std::size_t rows = 16, valid = 0, keys = 0, prefill = 0, vocabulary = 0;  // keys: rows of the other sequence
  std::int32_t bias = 5000;  // largest bias
  unsigned seed = 1;
};

[[nodiscard]] QuantisedModel random_model(const RandomModel& r);
// Inputs that fit random_model(r): int32 embeddings, or int8 rows for CrossAttention.
[[nodiscard]] TensorMap random_input(const RandomModel& r, unsigned seed);

}  // namespace systole::workloads
