#include "workloads/models/model_config.h"

#include <cmath>

#include "sim/base/errors.h"

namespace systole::workloads {
namespace {

// config.json of bert-base-uncased and bert-large-uncased on the Hugging Face hub.
ModelConfig bert(const char* name, std::size_t layers, std::size_t d, std::size_t f, std::size_t heads) {
  ModelConfig config;
  config.name = name;
  config.architecture = Architecture::Bert;
  config.activation = FloatActivation::GeluErf;
  config.layers = layers;
  config.d = d;
  config.f = f;
  config.heads = heads;
  config.vocabulary = 30522;
  config.max_positions = 512;
  config.type_vocabulary = 2;
  config.norm_epsilon = 1e-12;
  config.embedding_norm = true;
  return config;
}

// config.json of gpt2 and gpt2-medium; n_inner is absent there and means 4 * n_embd.
ModelConfig gpt2(const char* name, std::size_t layers, std::size_t d, std::size_t heads) {
  ModelConfig config;
  config.name = name;
  config.architecture = Architecture::Gpt2;
  config.activation = FloatActivation::GeluTanh;
  config.layers = layers;
  config.d = d;
  config.f = 4 * d;
  config.heads = heads;
  config.vocabulary = 50257;
  config.max_positions = 1024;
  config.norm_epsilon = 1e-5;
  return config;
}

// "Attention Is All You Need" (Vaswani et al. 2017), table 3 "base"; shared vocabulary of section 5.1. The paper names
// no limit of positions and no epsilon: 512 and 1e-6 are those of the authors' tensor2tensor.
ModelConfig transformer_base() {
  ModelConfig config;
  config.name = "transformer-base";
  config.architecture = Architecture::EncoderDecoder;
  config.activation = FloatActivation::Relu;
  config.layers = 6;
  config.decoder_layers = 6;
  config.d = 512;
  config.f = 2048;
  config.heads = 8;
  config.vocabulary = 37000;
  config.max_positions = 512;
  config.norm_epsilon = 1e-6;
  config.sinusoidal_positions = true;
  config.start_token = 0;  // tensor2tensor shifts the target by a row of padding
  return config;
}

}  // namespace

double ModelConfig::score_factor(std::size_t layer) const {
  const double by_width = scale_scores ? 1.0 / std::sqrt(static_cast<double>(dk())) : 1.0;
  return scale_scores_by_layer ? by_width / static_cast<double>(layer + 1) : by_width;
}

const std::vector<ModelConfig>& known_models() {
  static const std::vector<ModelConfig> kModels = {
      bert("bert-base", 12, 768, 3072, 12),
      bert("bert-large", 24, 1024, 4096, 16),
      gpt2("gpt2", 12, 768, 12),
      gpt2("gpt2-medium", 24, 1024, 16),
      transformer_base(),
  };
  return kModels;
}

const ModelConfig& find_model(const std::string& name) {
  std::vector<std::string> names;
  for (const ModelConfig& model : known_models()) {
    if (model.name == name) {
      return model;
    }
    names.push_back(model.name);
  }
  throw ConfigError("no model is called '" + name + "' (nearest: '" + nearest(name, names) + "')");
}

}  // namespace systole::workloads
