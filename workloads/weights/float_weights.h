#pragma once
// Weights of a Transformer in floating point, one layer at a time: a whole large model never has to be in memory.
#include <cstdint>
#include <optional>
#include <vector>

#include "workloads/models/model_config.h"
#include "workloads/weights/tensor.h"

namespace systole::workloads {

// y = x * w + b, w row-major [in, out].
struct FloatLinear {
  Matrix<float> w;
  std::vector<float> b;
};

struct FloatNorm {
  std::vector<float> gamma, beta;
};

// Columns of q, k and v are grouped by head.
struct FloatAttention {
  FloatLinear q, k, v, o;
};

struct FloatLayer {
  FloatAttention attention;
  std::optional<FloatAttention> cross;  // decoder layers of EncoderDecoder
  FloatNorm norm1;                      // with attention: after it (post-LN) or before it (Gpt2)
  FloatNorm norm_cross;
  FloatNorm norm2;       // with the feed-forward block
  FloatLinear up, down;  // [d, f], [f, d]
};

enum class Side { Encoder, Decoder };  // Gpt2 has only a decoder, Bert only an encoder

// Language-model head: logits = x * w + b, in BERT behind x := LayerNorm(GELU(x * dense)).
struct FloatLanguageHead {
  struct Transform {
    FloatLinear dense;
    FloatNorm norm;
  };
  std::optional<Transform> transform;
  Matrix<float> w;       // [d, vocabulary]
  std::vector<float> b;  // [vocabulary], or empty
};

// The embeddings of one side as tables: row r of a sequence is words[token] (+ types) + positions[r], added in this order.
struct EmbeddingTables {
  Matrix<float> words;      // [vocabulary, d]
  Matrix<float> types;      // [1, d], of the first token type; or empty
  Matrix<float> positions;  // [max_positions, d]
};

// Tokens in, float rows out: the part of a model that stays on the host.
class TokenEmbedding {
 public:
  virtual ~TokenEmbedding() = default;

  [[nodiscard]] virtual const ModelConfig& config() const = 0;
  // Sum of all embeddings of `tokens`, which stand at positions first, first + 1, ...: [tokens, d], before any
  // LayerNorm. ConfigError: token outside the vocabulary, position beyond the model's last.
  [[nodiscard]] virtual Matrix<float> embed(Side side, const std::vector<std::int32_t>& tokens,
                                            std::size_t first) const = 0;
};

class WeightSource : public TokenEmbedding {
 public:
  // EncoderDecoder: the encoder's layers come first.
  [[nodiscard]] virtual FloatLayer layer(std::size_t index) const = 0;
  // Gives the bits of embed().
  [[nodiscard]] virtual EmbeddingTables embedding_tables(Side side) const = 0;
  [[nodiscard]] virtual FloatNorm embedding_norm(Side side) const = 0;  // config().embedding_norm
  [[nodiscard]] virtual FloatNorm final_norm() const = 0;               // Gpt2
  // ConfigError when the weights have none.
  [[nodiscard]] virtual FloatLanguageHead language_head() const = 0;
  [[nodiscard]] virtual bool has_language_head() const = 0;
};

// ConfigError when a token or a position is out of range.
void check_tokens(const ModelConfig& config, const std::vector<std::int32_t>& tokens, std::size_t first);

// Adds the position encoding of the original Transformer (Vaswani et al. 2017, section 3.5) to rows at first, first +
// 1, ...
void add_sinusoidal_positions(Matrix<float>& rows, std::size_t first);

// `count` tokens, uniform over the vocabulary, the same for the same seed and stream.
[[nodiscard]] std::vector<std::int32_t> random_tokens(const ModelConfig& config, std::size_t count, std::uint64_t seed,
                                                      std::uint64_t stream);

}  // namespace systole::workloads
