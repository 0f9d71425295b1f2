#pragma once
// Embedding tables beside a quantised model, so that a file alone turns tokens into the machine's input:
// host.encoder.{words,types,positions} and host.decoder.{...}, F32; a decoder without own tables uses the encoder's.
#include <memory>
#include <string>

#include "workloads/quantise/quantised_model.h"
#include "workloads/weights/float_weights.h"
#include "workloads/weights/safetensors.h"

namespace systole::workloads {

// To be stored with save_quantised_model().
[[nodiscard]] TensorMap embedding_tensors(const WeightSource& source);

class StoredEmbedding final : public TokenEmbedding {
 public:
  // ConfigError: a table is ill-shaped. The file need not hold any: see has_tables().
  StoredEmbedding(const std::string& path, const QuantisedModel& model);

  [[nodiscard]] bool has_tables() const;
  // Sizes of the model; vocabulary and positions are those of the tables.
  [[nodiscard]] const ModelConfig& config() const override { return config_; }
  [[nodiscard]] Matrix<float> embed(Side side, const std::vector<std::int32_t>& tokens, std::size_t first) const override;

 private:
  [[nodiscard]] std::string prefix(Side side) const;

  SafetensorsFile file_;
  ModelConfig config_;
};

}  // namespace systole::workloads
