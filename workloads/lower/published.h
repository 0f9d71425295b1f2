#pragma once
// A Transformer layer as Gemmini's published software issues it (gemmini-rocc-tests transformers/transformer.c): encoder, decoder with
// cross attention, or one step with cached keys; LayerNorm first, then the residual sum. Weights are not loaded: for time, not values.
#include <cstdint>
#include <map>
#include <string>

#include "kernels/target.h"
#include "isa/program.h"

namespace systole::workloads {

// Read-out scales of one attention, and the real value of one unit of its scores.
struct PublishedScales {
  float projection = 1.0f, softmax_unit = 0.001f, softmax = 1.0f, context = 1.0f, norm = 8.0f;
};

struct PublishedLayer {
  std::uint64_t hidden = 768, expansion = 3072, heads = 12, rows = 128;
  std::uint64_t cached = 0;        // keys already there: rows attend to cached + rows keys
  std::uint64_t cross_keys = 0;    // rows of the encoder's output; 0: no cross attention
  bool fused_norm = false;         // LayerNorm in the read-out of the product before it
  PublishedScales self, cross;
  float norm2_scale = 20.0f;
  float gelu_unit = 0.0045f;       // real value of one unit in front of GELU
  float gelu_scale = 1.0f;
};

// `addresses` places tensors by name (tests compare with recorded programs); those it lacks are placed one after the other.
// Regions are named as in the published file's steps ("q_proj", "scores_softmax", "ff1_gelu", ...), with "self_" and "cross_" in
// front when there is cross attention.
// Throws ConfigError for sizes that do not fit.
[[nodiscard]] isa::Program published_layer(const PublishedLayer& layer, const kernels::Target& target,
                                           const std::map<std::string, std::uint64_t>& addresses = {});

}  // namespace systole::workloads
