#pragma once
// Weights of a Hugging Face checkpoint: a folder with config.json and model.safetensors (or its shards). BERT
// (BertModel and BertFor...), GPT-2 and encoder-decoders made of two BERTs.
//
// Layouts: BERT's nn.Linear stores [out, in] and is transposed here; GPT-2's Conv1D stores [in, out] and is not.
// Names of sub-models are recognised with and without their prefix; LayerNorm's old names gamma and beta are accepted.
#include <memory>
#include <string>
#include <vector>

#include "workloads/weights/float_weights.h"
#include "workloads/weights/safetensors.h"

namespace systole::workloads {

class CheckpointWeights final : public WeightSource {
 public:
  // ConfigError naming the file and the key of config.json, or the tensor, that is missing, ill-shaped or not
  // supported.
  explicit CheckpointWeights(const std::string& folder);

  [[nodiscard]] const ModelConfig& config() const override { return config_; }
  [[nodiscard]] FloatLayer layer(std::size_t index) const override;
  [[nodiscard]] Matrix<float> embed(Side side, const std::vector<std::int32_t>& tokens,
                                    std::size_t first) const override;
  [[nodiscard]] FloatNorm embedding_norm(Side side) const override;
  [[nodiscard]] FloatNorm final_norm() const override;
  [[nodiscard]] EmbeddingTables embedding_tables(Side side) const override;
  [[nodiscard]] FloatLanguageHead language_head() const override;
  [[nodiscard]] bool has_language_head() const override;

  // Tensors of the file that no part of the model uses, other than known buffers and heads.
  [[nodiscard]] const std::vector<std::string>& unknown_tensors() const { return unknown_; }

 private:
  // Runs over every tensor the model needs; throws on the first that is missing or ill-shaped.
  void check_tensors();
  [[nodiscard]] std::string find(const std::string& name) const;
  // Of the masked-language head ("cls.predictions." or "decoder.cls.predictions.").
  [[nodiscard]] std::string head_prefix() const;
  [[nodiscard]] FloatLinear transposed_linear(const std::string& name, std::size_t in, std::size_t out) const;
  [[nodiscard]] FloatLinear plain_linear(const std::string& name, std::size_t in, std::size_t out) const;
  [[nodiscard]] FloatNorm norm(const std::string& name) const;
  [[nodiscard]] FloatLayer bert_layer(const std::string& prefix, bool decodes) const;
  [[nodiscard]] FloatLayer gpt2_layer(const std::string& prefix) const;
  [[nodiscard]] const std::string& side_prefix(Side side) const {
    return side == Side::Encoder ? prefix_ : decoder_prefix_;
  }

  std::string folder_;
  ModelConfig config_;
  SafetensorsFile file_;
  std::string prefix_;          // "", "bert.", "transformer.", "encoder."
  std::string decoder_prefix_;  // Gpt2: as prefix_; EncoderDecoder: "decoder.bert." or "decoder."
  std::vector<std::string> unknown_;
};

// Reads config.json alone.
[[nodiscard]] ModelConfig read_model_config(const std::string& path);

}  // namespace systole::workloads
