#pragma once
// Random weights as Hugging Face initialises its models: normal with standard deviation `initializer_range`, biases 0,
// LayerNorm 1 and 0, and in GPT-2 the two projections into the residual smaller by sqrt(2 * layers). Every number is a
// function of seed, tensor and position alone, so any part can be made at any time.
#include <cstdint>
#include <string>

#include "workloads/weights/float_weights.h"

namespace systole::workloads {

// Numbers of one tensor. `name` and `seed` select the stream.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, const std::string& name);
  [[nodiscard]] std::uint64_t bits(std::uint64_t index) const;
  // Writes normal numbers first, first + 1, ... of the stream.
  void normal(std::uint64_t first, std::size_t count, double deviation, float* to) const;

 private:
  std::uint64_t key_;
};

class RandomWeights final : public WeightSource {
 public:
  RandomWeights(ModelConfig config, std::uint64_t seed);

  [[nodiscard]] const ModelConfig& config() const override { return config_; }
  [[nodiscard]] FloatLayer layer(std::size_t index) const override;
  [[nodiscard]] Matrix<float> embed(Side side, const std::vector<std::int32_t>& tokens,
                                    std::size_t first) const override;
  [[nodiscard]] FloatNorm embedding_norm(Side side) const override;
  [[nodiscard]] FloatNorm final_norm() const override;
  [[nodiscard]] EmbeddingTables embedding_tables(Side side) const override;
  [[nodiscard]] FloatLanguageHead language_head() const override;
  [[nodiscard]] bool has_language_head() const override { return true; }

 private:
  [[nodiscard]] FloatLinear linear(const std::string& name, std::size_t in, std::size_t out, double deviation) const;
  [[nodiscard]] FloatNorm norm() const;
  [[nodiscard]] FloatAttention attention(const std::string& name, double out_deviation) const;

  ModelConfig config_;
  std::uint64_t seed_;
};

}  // namespace systole::workloads
