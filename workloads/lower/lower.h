#pragma once
// Turns a quantised Transformer and its input into a program for a machine.
#include "kernels/target.h"
#include "workloads/lower/lowered.h"
#include "workloads/quantise/quantised_model.h"

namespace systole::workloads {

// LayerNorm in the read-out of the product before it, while whole rows are in the accumulator; or as a kernel of its own.
enum class NormFusion { kAuto, kSeparate, kFused };

struct LowerOptions {
  // Also write boundaries that otherwise never leave the accumulator (scores, feed-forward sums), for validation.
  bool store_all_boundaries = false;
  // Weights that lie in memory as they lie in the model are not copied into the program's image: Lowered::borrowed refers to them, and the model
  // must outlive it.
  bool borrow_weights = false;
  // One set of activation buffers for all layers, as an implementation would do; only the last layer's boundaries remain.
  bool reuse_buffers = false;
  // Language head: logits of the last row of each pass only.
  bool last_logits_only = false;
  // Gpt2, EncoderDecoder: rows of the first pass; the others are decoded one by one. 0: the model's own `prefill`, or all.
  std::size_t prefill = 0;
  // Post-LN models. kAuto: whichever the price model of the tiling search prefers. kFused: wherever it fits.
  NormFusion norm_fusion = NormFusion::kAuto;
};

// `inputs` as for reference::evaluate; one map per item of the batch, all of the same sizes.
// Throws ConfigError: the machine lacks a function the model needs (naming the parameter), a size does not fit, an input is
// missing or of the wrong type or shape.
[[nodiscard]] Lowered lower(const QuantisedModel& model, const std::vector<TensorMap>& inputs, const kernels::Target& target,
                            const LowerOptions& options = {});

}  // namespace systole::workloads
