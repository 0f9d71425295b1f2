#pragma once
// A product and the softmax or LayerNorm behind it: in its read-out ("fused"), or as a step of its own over int32 results in
// memory. Section 5.5.2 of the survey compares the two.
#include <cstdint>

#include "isa/program.h"
#include "kernels/target.h"

namespace systole::workloads {

enum class PairNorm : std::uint8_t { kSoftmax, kLayerNorm };

struct NormalisedProduct {
  PairNorm norm = PairNorm::kSoftmax;
  std::uint64_t rows = 512, columns = 512, inner = 64;
  bool fused = false;
  bool values = false;  // random operands; otherwise for time only
};

// The product has the tiles and commands of Gemmini's library; so has the fused read-out and LayerNorm's own step. A softmax step
// is the kernel library's. Regions "product" and "norm", fused "product"; symbol "result". Throws ConfigError when rows do not fit.
[[nodiscard]] isa::Program normalised_product(const NormalisedProduct& pair, const kernels::Target& target);

// Time in the manner of a mapping tool, nothing simulated: the larger of arithmetic and traffic of each step, the traffic of the
// tiles above at `bus_bytes` a cycle; a fused normalisation is hidden, a step of its own takes three passes of a vector a cycle.
struct PairEstimate {
  double product = 0, norm = 0;
  [[nodiscard]] double cycles() const { return product + norm; }
};
[[nodiscard]] PairEstimate estimate_pair(const NormalisedProduct& pair, const kernels::Target& target, double bus_bytes);

}  // namespace systole::workloads
