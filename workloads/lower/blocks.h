#pragma once
// The blocks every Transformer layer consists of, as kernels on activation buffers.
#include <string>

#include "workloads/lower/session.h"

namespace systole::workloads::lowering {

// Buffers of one attention.
struct AttentionBuffers {
  HeadActivations q, k, v, s, p;   // s: only if scores go to memory
  Activations context;             // heads side by side
};

// `query_rows` and `key_rows` are those of whole sequences. `prefix` is "" or "x" (cross attention).
// `constants`: columns behind the context's own (ProductParameters).
AttentionBuffers attention_buffers(Session& session, int layer, const std::string& prefix, std::size_t query_rows,
                                   std::size_t key_rows, std::size_t constants);

enum class Projection { kQuery, kKey, kValue };

// The pass's rows of x through one of the three weight matrices of every head.
void project(Session& session, const Pass& pass, const std::string& region, const AttentionParameters& parameters,
             Projection projection, const Activations& x, const HeadActivations& out);

// Queries, keys and values from the same x: three regions. x stays in the scratchpad where it fits.
void project_all(Session& session, const Pass& pass, const std::string& region, const AttentionParameters& parameters,
                 const Activations& x, const AttentionBuffers& buffers);

// softmax(Q K^T) V for the pass's queries, which see the first visible[sequence] keys, the last of them the query itself when causal.
void attend(Session& session, const Pass& pass, const std::string& region, const AttentionParameters& parameters,
            const AttentionBuffers& buffers, const std::vector<std::size_t>& visible, bool causal);

// out = a * w + bias + residual term of x.
void product_with_residual(Session& session, const Pass& pass, const std::string& region, const Activations& a,
                           const ProductParameters& parameters, const Activations& x, const Activations& out);

// out = activation(x * w1 + b1), GELU or ReLU as the model has it; sums (if present) = x * w1 + b1.
// The rows `from` of x become the rows `to` of out and sums.
void feed_forward(Session& session, const Pass& from, const Pass& to, const std::string& region, const Activations& x,
                  const kernels::Matrix& w1, const kernels::Matrix& b1, const ActivationConstants& constants, const Activations& out,
                  const Activations& sums);

// The same with LayerNorm; `sums` gets the values before it. Fused when the options and the machine allow: `sums` is then only
// written for validation.
void product_with_residual_and_norm(Session& session, const Pass& pass, const std::string& region, const Activations& a,
                                    const ProductParameters& parameters, const Activations& x, const Activations& sums, const std::string& norm_region,
                                    const NormParameters& norm_parameters, const Activations& out);

// `x_scale`: factor on x on its way into the accumulator.
void norm(Session& session, const Pass& pass, const std::string& region, const Activations& x, const NormParameters& parameters,
          const Activations& out, float x_scale = 1.0f);

// The int8 input of a post-LN stack from scaled embeddings: LayerNorm, or clipped where the model has none. `unit`: real value of one
// unit of x.
void normalise_input(Session& session, const Pass& pass, const Activations& x, const NormParameters* parameters,
                     const Activations& out, double unit);

// The language head; absent in a model without one.
struct LanguageHeadBuffers {
  kernels::Matrix w, b;
  Activations logits;             // int32, of the rows from `first` of every sequence
  std::size_t first = 0;
  // BERT: x := LayerNorm(GELU(x * dense + bias)).
  const HeadTransform* transform = nullptr;
  kernels::Matrix dense, dense_bias;
  NormParameters norm;
  Activations inner, inner_sum, normalised;

  [[nodiscard]] bool present() const { return w.present(); }
};

// For sequences of `rows` rows, the first `prompt` of which are one pass.
[[nodiscard]] LanguageHeadBuffers place_head(Session& session, std::size_t rows, std::size_t prompt);
// Logits of the pass's rows, or of its last one.
void language_head(Session& session, const Pass& pass, const Activations& x, const LanguageHeadBuffers& head);

}  // namespace systole::workloads::lowering
