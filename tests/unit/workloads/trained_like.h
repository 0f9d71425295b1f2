#pragma once
// Weights that are as awkward as those of trained Transformers, made from random ones: heavy tails, columns of unequal size, heads that are
// sharp and heads that are flat, LayerNorm gains with a few outliers, feed-forward outputs with large columns; in GPT-2 also a token whose
// residual stream is a hundred times larger than the others'. A stress for the quantiser, no claim about any trained model.
#include "workloads/weights/random.h"

namespace systole::workloads {

// Bert and Gpt2.
class TrainedLikeWeights final : public WeightSource {
 public:
  TrainedLikeWeights(ModelConfig config, std::uint64_t seed);

  [[nodiscard]] const ModelConfig& config() const override { return random_.config(); }
  [[nodiscard]] FloatLayer layer(std::size_t index) const override { return layers_.at(index); }
  [[nodiscard]] Matrix<float> embed(Side side, const std::vector<std::int32_t>& tokens, std::size_t first) const override;
  [[nodiscard]] EmbeddingTables embedding_tables(Side side) const override { return random_.embedding_tables(side); }
  [[nodiscard]] FloatNorm embedding_norm(Side side) const override { return random_.embedding_norm(side); }
  [[nodiscard]] FloatNorm final_norm() const override { return gains("final", 0); }
  [[nodiscard]] FloatLanguageHead language_head() const override { return random_.language_head(); }
  [[nodiscard]] bool has_language_head() const override { return false; }

 private:
  // Without biases behind its branches.
  [[nodiscard]] FloatLayer bare_layer(std::size_t index) const;
  [[nodiscard]] FloatLinear heavy(const std::string& name, std::size_t in, std::size_t out, double deviation) const;
  [[nodiscard]] FloatNorm gains(const std::string& name, std::size_t layer) const;

  RandomWeights random_;
  std::uint64_t seed_;
  std::vector<FloatLayer> layers_;
};

}  // namespace systole::workloads
