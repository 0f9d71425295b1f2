#pragma once
// softmax(Q * K^T + mask) * V for any number of heads, from int8 Q, K, V in memory to int8 context in memory.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/builder.h"
#include "kernels/tensor.h"

namespace systole::kernels {

// Added to the scores before the softmax.
struct ScoreMask {
  // int32 values, or int8 values times `scale` (E2). Key mask: one repeated row [keys]. Causal: causal_pattern().
  Matrix values;
  float scale = 1.0f;
  bool causal = false;       // query r sees keys 0..position + r; a block of queries computes only what its last row sees
  std::uint64_t position = 0;
  std::uint64_t origin = 0;  // causal: column of `values` that is key 0 for the query at position 0
};

struct AttentionHead {
  Matrix q;        // [queries][dk]
  Matrix k;        // [keys][dk]
  Matrix v;        // [keys][dk]
  Matrix p;        // [queries][keys] int8, written; under a causal mask only where a key is visible (rounded up to a block)
  Matrix context;  // [queries][dk] int8, written
  Matrix scores;   // [queries][keys] int32: needed when a row of scores does not fit the accumulator
  bool store_scores = false;  // write `scores` in any case, for validation
  NonlinearConstants exp;
  int pre_shift = 0;
  float p_scale = 1.0f;        // scale of the exponential (deferred) or of the softmax
  float context_scale = 1.0f;
  ScoreMask mask;              // values absent: every key is visible
};

struct AttentionOptions {
  bool deferred = true;   // E4: P = exp / max, 1 / sum applied to the context
  std::optional<std::string> region = "";  // prefix of the region names; regions scores, context. Absent: no regions
};

void attention(Builder& builder, const std::vector<AttentionHead>& heads, const AttentionOptions& options);

// Do scores of this many keys need AttentionHead::scores?
[[nodiscard]] bool scores_need_memory(const Target& target, std::uint64_t keys);

// A matrix whose windows are causal masks of blocks of queries: element (r, c) is `masked` for c > origin + r. Row-major
// [causal_pattern_rows][origin + causal_pattern_rows].
[[nodiscard]] std::uint64_t causal_pattern_rows(std::uint64_t dim);
template <typename T>
[[nodiscard]] std::vector<T> causal_pattern(std::uint64_t dim, std::uint64_t origin, T masked) {
  const std::uint64_t rows = causal_pattern_rows(dim);
  const std::uint64_t cols = origin + rows;
  std::vector<T> pattern(rows * cols, T{0});
  for (std::uint64_t r = 0; r < rows; ++r) {
    for (std::uint64_t c = origin + r + 1; c < cols; ++c) pattern[r * cols + c] = masked;
  }
  return pattern;
}

}  // namespace systole::kernels
