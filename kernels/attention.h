#pragma once
// softmax(Q * K^T + mask) * V for any number of heads, from int8 Q, K, V in memory to int8 context in memory.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/builder.h"
#include "kernels/tensor.h"

namespace systole::kernels {

struct AttentionHead {
  Matrix q;        // [queries][dk]
  Matrix k;        // [keys][dk]
  Matrix v;        // [keys][dk]
  Matrix p;        // [queries][keys] int8, written
  Matrix context;  // [queries][dk] int8, written
  Matrix scores;   // [queries][keys] int32, written if present (for validation only)
  NonlinearConstants exp;
  int pre_shift = 0;
  float p_scale = 1.0f;        // scale of the exponential (deferred) or of the softmax
  float context_scale = 1.0f;
  // Key mask: one repeated int32 row, 0 or minus the mask magnitude, added to every score row. Absent: none.
  Matrix key_mask;
  // Causal: causal_mask_rows() of the mask magnitude; query r sees keys 0..r. Absent: every key.
  Matrix causal_mask;
};

struct AttentionOptions {
  bool deferred = true;   // E4: P = exp / max, 1 / sum applied to the context
  std::string region;     // prefix of the region names; regions scores, softmax, context
};

// Throws ConfigError when a score row does not fit the accumulator.
void attention(Builder& builder, const std::vector<AttentionHead>& heads, const AttentionOptions& options);

// [dim][causal_block_tiles * dim] int32: element (r, c) is -magnitude for c > r. Any column window of it masks the tiles on and
// right of the diagonal.
[[nodiscard]] std::vector<std::int32_t> causal_mask_rows(std::int32_t magnitude, std::uint64_t dim);
[[nodiscard]] std::uint64_t causal_mask_cols(std::uint64_t dim);

}  // namespace systole::kernels
