#pragma once
// Tiling by search: every legal cut is priced with a simple model of the loop (array passes against memory beats) and the
// cheapest wins. Priced per loop: each loop runs as long as the longer of its array passes and its loads.
#include "kernels/target.h"
#include "kernels/tiling/tiling.h"

namespace systole::kernels {

struct TilingRequest {
  MatmulShape shape;
  bool transpose_b = false;
  bool split_k = false;        // at least two loops per output tile (a residual is added between them)
  std::uint64_t branches = 1;  // products that share A
};

struct TilingChoice {
  Tiling tiling;
  bool resident_a = false;     // A of a row block stays in the scratchpad for all column blocks
  std::uint64_t cycles = 0;    // estimate
};

[[nodiscard]] TilingChoice search_tiling(const Target& target, const TilingRequest& request);

}  // namespace systole::kernels
