#pragma once
// The matrix products of an encoder layer alone, with the tiles and commands of Gemmini's software library: what an
// accelerator without non-linear operations does while the CPU waits. Figure 13 of the survey is about them.
#include <cstdint>

#include "isa/program.h"
#include "kernels/target.h"

namespace systole::workloads {

struct LayerProducts {
  std::uint64_t rows = 512, model = 768, feed_forward = 3072, heads = 12;
  bool wide_results = false;  // int32 results in front of non-linear operations, instead of int8 everywhere
  bool biases = true;         // of the products with weights
  bool searched_tiles = false;  // the tiles of our own search instead of the library's
  // What the CPU does between the products, in floating point (kernels/host_fallback.h): softmax, GELU, LayerNorm and residual
  // additions, with the conversions that they need. kAll: results and inputs of all products are converted.
  enum class Cpu : std::uint8_t { kNone, kNeeded, kAll };
  Cpu cpu = Cpu::kNone;
};

// With a CPU its regions are "softmax" "gelu" "layer_norm" "residual" "conversion", each entered again and again.
// Regions "q_proj" "k_proj" "v_proj" "scores" "context" "out_proj" "ff1" "ff2"; a fence after each step. Weights are
// not loaded: for time, not values. Throws ConfigError for sizes that do not fit.
[[nodiscard]] isa::Program layer_products(const LayerProducts& layer, const kernels::Target& target);

}  // namespace systole::workloads
