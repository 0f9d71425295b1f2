#pragma once
// How close to its float model a quantised model must come.
#include <cstddef>
#include <optional>

#include "workloads/models/model_config.h"

namespace systole::run {

struct Tolerance {
  double min_cosine = 0;
  double min_sqnr_db = 0;
};

// Of the output of the first `layers` layers with random weights as Hugging Face initialises them, for `rows` rows. Absent: nobody has
// measured this model, so nothing is promised.
[[nodiscard]] std::optional<Tolerance> float_tolerance(const workloads::ModelConfig& model, std::size_t layers, std::size_t rows);

}  // namespace systole::run
