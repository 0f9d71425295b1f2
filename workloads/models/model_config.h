#pragma once
// Sizes and choices of a Transformer in floating point, as its authors published it.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "workloads/models/architecture.h"

namespace systole::workloads {

// The forms of GELU differ by less than 1e-3: erf in BERT, tanh ("gelu_new") in GPT-2.
enum class FloatActivation { GeluErf, GeluTanh, Relu };

struct ModelConfig {
  std::string name;
  Architecture architecture = Architecture::Bert;
  FloatActivation activation = FloatActivation::GeluErf;
  std::size_t layers = 0;          // EncoderDecoder: of the encoder
  std::size_t decoder_layers = 0;  // EncoderDecoder only
  std::size_t d = 0;               // model width
  std::size_t f = 0;               // feed-forward width
  std::size_t heads = 0;           // of d / heads columns each
  std::size_t vocabulary = 0;
  std::size_t max_positions = 0;
  std::size_t type_vocabulary = 0;  // Bert: token types; the first is used
  double norm_epsilon = 0;
  bool embedding_norm = false;         // LayerNorm right after the embeddings
  bool sinusoidal_positions = false;   // and tokens scaled by sqrt(d), as in the original Transformer
  bool scale_scores = true;            // by 1/sqrt(dk)
  bool scale_scores_by_layer = false;  // and by 1/(layer + 1)
  double initializer_range = 0.02;     // standard deviation of random weights
  std::int32_t pad_token = 0;          // fills up the shorter sequences of a batch
  std::optional<std::int32_t> start_token;  // EncoderDecoder: what the decoder begins with

  [[nodiscard]] std::size_t dk() const { return heads == 0 ? 0 : d / heads; }
  [[nodiscard]] std::size_t all_layers() const { return layers + decoder_layers; }
  // Factor between q*k and the argument of softmax.
  [[nodiscard]] double score_factor(std::size_t layer) const;
};

// bert-base, bert-large, gpt2, gpt2-medium, transformer-base.
[[nodiscard]] const std::vector<ModelConfig>& known_models();
// ConfigError with the nearest name.
[[nodiscard]] const ModelConfig& find_model(const std::string& name);

}  // namespace systole::workloads
