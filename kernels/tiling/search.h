#pragma once
// Tiling by search: every legal cut is priced with a simple model of the loop (array passes against memory beats) and the
// cheapest wins. Priced per loop: each loop runs as long as the longer of its array passes and its loads.
#include <optional>

#include "kernels/target.h"
#include "kernels/tiling/tiling.h"

namespace systole::kernels {

struct TilingRequest {
  MatmulShape shape;
  bool transpose_b = false;
  bool split_k = false;        // at least two loops per output tile (a residual is added between them)
  std::uint64_t branches = 1;  // products that share A
  bool whole_rows = false;     // all columns of a row in the accumulator at once (LayerNorm in the read-out)
  std::uint64_t reserved_rows = 0;  // accumulator rows at the end that must stay free

  friend bool operator==(const TilingRequest& a, const TilingRequest& b) {
    return a.shape == b.shape && a.transpose_b == b.transpose_b && a.split_k == b.split_k && a.branches == b.branches &&
           a.whole_rows == b.whole_rows && a.reserved_rows == b.reserved_rows;
  }
};

struct TilingChoice {
  Tiling tiling;
  bool resident_a = false;     // A of a row block stays in the scratchpad for all column blocks
  std::uint64_t cycles = 0;    // estimate
};

// Nothing when whole rows do not fit half the accumulator.
[[nodiscard]] std::optional<TilingChoice> find_tiling(const Target& target, const TilingRequest& request);
// What Gemmini's heuristic chooses for the same request, with the same price model's estimate for it.
[[nodiscard]] std::optional<TilingChoice> gemmini_choice(const Target& target, const TilingRequest& request);
// For requests that always have an answer: without whole rows.
[[nodiscard]] TilingChoice search_tiling(const Target& target, const TilingRequest& request);

}  // namespace systole::kernels
