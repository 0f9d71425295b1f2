#pragma once
// Where a model of a run comes from, and what it reads: weights (random or a checkpoint) or a quantised file; tokens or tensors.
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "kernels/target.h"
#include "sim/run/request.h"
#include "workloads/quantise/quantised_model.h"
#include "workloads/weights/float_weights.h"

namespace systole::run {

// Sizes with the workload's own in place of what the user left out.
struct ModelSizes {
  std::size_t layers = 0;
  std::size_t prompt = 0;     // rows of the first pass
  std::size_t rows = 0;       // of the whole input: prompt and generated tokens; EncoderDecoder: of the encoder
  std::size_t target = 0;     // decoder rows of an encoder-decoder model
  std::size_t batch = 1;
};

struct ModelInput {
  workloads::QuantisedModel model;
  ModelSizes sizes;
  std::unique_ptr<workloads::WeightSource> source;         // the float model; null for a quantised file
  bool random_weights = false;
  std::vector<TokenSequence> sequences;                    // padded to equal lengths; empty: the input is tensors
  std::vector<std::size_t> valid;                          // rows of each sequence that are no padding
  std::vector<std::vector<std::int32_t>> generated;        // by greedy argmax; empty unless asked for
  std::vector<workloads::TensorMap> inputs;                // for lowering and reference
  std::vector<std::string> warnings;
};

// Throws ConfigError: unknown model, a size that does not fit, a token outside the vocabulary, a head that is missing ...
// `values`: false when nobody will look at values, so that no token need be computed.
[[nodiscard]] ModelInput make_model_input(const WorkloadRequest& request, const kernels::Target& target, bool values, unsigned threads,
                                          const std::function<void(const std::string&)>& progress);

}  // namespace systole::run
