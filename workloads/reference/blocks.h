#pragma once
// The two blocks every Transformer layer consists of, on int8 operands, and LayerNorm.
#include <string>
#include <vector>

#include "workloads/reference/evaluate.h"

namespace systole::workloads::reference {

// What a block reports to and counts in.
struct Context {
  const QuantisedModel& model;
  const BoundarySink& sink;
  OverflowCounters& overflows;
};

// Which keys a query may see: the first `valid`, and of those, if causal, the ones up to position first_query + row.
struct Mask {
  std::size_t valid = 0;
  bool causal = false;
  std::size_t first_query = 0;

  [[nodiscard]] std::size_t visible(std::size_t row) const {
    return causal && first_query + row + 1 < valid ? first_query + row + 1 : valid;
  }
};

using HeadCaches = std::vector<Decoder::HeadCache>;

// Queries, keys and values of one head: int8 [rows, dk].
[[nodiscard]] Matrix<std::int8_t> project(const Context& context, const Matrix<std::int8_t>& x,
                                          const Matrix<std::int8_t>& w, const std::vector<std::int32_t>& bias,
                                          float scale);
// Appends keys and values of the rows of x to the caches; reports them as NAMEk and NAMEv.
void append_keys(const Context& context, const AttentionWeights& weights, const Matrix<std::int8_t>& x,
                 const std::string& name, HeadCaches& caches);
// Context of all heads side by side: int8 [rows, heads*dk]. Reports NAMEq, s, p, rowsum, ctx.
[[nodiscard]] Matrix<std::int8_t> attend(const Context& context, const AttentionWeights& weights,
                                         const Matrix<std::int8_t>& x, const HeadCaches& caches, const Mask& mask,
                                         const std::string& name);

// a * w + bias + residual operand, for an int8 (Bert) or int32 (Gpt2) residual.
[[nodiscard]] Matrix<std::int32_t> add_residual(const Context& context, const Matrix<std::int8_t>& a,
                                                const Matrix<std::int8_t>& w, const std::vector<std::int32_t>& bias,
                                                const Matrix<std::int8_t>& residual, const Residual& constants);
[[nodiscard]] Matrix<std::int32_t> add_residual(const Context& context, const Matrix<std::int8_t>& a,
                                                const Matrix<std::int8_t>& w, const std::vector<std::int32_t>& bias,
                                                const Matrix<std::int32_t>& residual, const Residual& constants);

// a * w + bias alone.
[[nodiscard]] Matrix<std::int32_t> product(const Context& context, const Matrix<std::int8_t>& a, const Matrix<std::int8_t>& w,
                                           const std::vector<std::int32_t>& bias);

// First half of the feed-forward block up to the activation: int8 [rows, f]. Reports ffn1_acc and gelu or relu.
[[nodiscard]] Matrix<std::int8_t> feed_forward(const Context& context, const LayerWeights& layer,
                                               const Matrix<std::int8_t>& x, const std::string& prefix);

// activation(x * w + bias). Reports the sums as `sums_name`, the result as PREFIX + name of the activation.
[[nodiscard]] Matrix<std::int8_t> activated_product(const Context& context, const Matrix<std::int8_t>& x,
                                                    const Matrix<std::int8_t>& w, const std::vector<std::int32_t>& bias,
                                                    const ActivationConstants& constants, const std::string& sums_name,
                                                    const std::string& prefix);

[[nodiscard]] Matrix<std::int8_t> layer_norm(const Context& context, const Matrix<std::int32_t>& x,
                                             const NormConstants& norm);

}  // namespace systole::workloads::reference
