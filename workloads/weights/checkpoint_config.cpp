// config.json of a Hugging Face checkpoint.
#include <cmath>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "sim/base/file.h"
#include "workloads/weights/checkpoint.h"

namespace systole::workloads {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxSize = 1U << 24;

// The keys of one object of the file; errors say where it is.
class Keys {
 public:
  Keys(std::string where, const json& object) : where_(std::move(where)), object_(object) {
    if (!object_.is_object()) {
      throw ConfigError(where_ + ": not an object");
    }
  }

  [[nodiscard]] bool has(const char* key) const { return object_.contains(key) && !object_.at(key).is_null(); }
  [[nodiscard]] const json& at(const char* key) const {
    if (!has(key)) {
      throw ConfigError(fmt::format("{}: \"{}\" is missing", where_, key));
    }
    return object_.at(key);
  }
  [[nodiscard]] std::size_t size(const char* key) const {
    const json& value = at(key);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0 || value.get<std::uint64_t>() > kMaxSize) {
      throw ConfigError(
          fmt::format("{}: \"{}\" is {}, needed is an integer in 1..{}", where_, key, value.dump(), kMaxSize));
    }
    return value.get<std::size_t>();
  }
  // A token of the model, or nothing where the key is absent or null.
  [[nodiscard]] std::optional<std::int32_t> token(const char* key, std::size_t vocabulary) const {
    if (!has(key)) {
      return std::nullopt;
    }
    const json& value = at(key);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= vocabulary) {
      throw ConfigError(fmt::format("{}: \"{}\" is {}, needed is a token in 0..{}", where_, key, value.dump(), vocabulary - 1));
    }
    return static_cast<std::int32_t>(value.get<std::uint64_t>());
  }
  [[nodiscard]] double positive(const char* key, double otherwise) const {
    if (!has(key)) {
      return otherwise;
    }
    const json& value = at(key);
    if (!value.is_number() || !(value.get<double>() > 0) || !std::isfinite(value.get<double>())) {
      throw ConfigError(fmt::format("{}: \"{}\" is {}, needed is a positive number", where_, key, value.dump()));
    }
    return value.get<double>();
  }
  [[nodiscard]] bool flag(const char* key, bool otherwise) const {
    if (!has(key)) {
      return otherwise;
    }
    if (!at(key).is_boolean()) {
      throw ConfigError(fmt::format("{}: \"{}\" is {}, needed is true or false", where_, key, at(key).dump()));
    }
    return at(key).get<bool>();
  }
  [[nodiscard]] std::string text(const char* key, const std::string& otherwise) const {
    if (!has(key)) {
      return otherwise;
    }
    if (!at(key).is_string()) {
      throw ConfigError(fmt::format("{}: \"{}\" is {}, needed is a string", where_, key, at(key).dump()));
    }
    return at(key).get<std::string>();
  }
  // One of `choices`.
  [[nodiscard]] std::string choice(const char* key, const std::string& otherwise,
                                   const std::vector<std::string>& choices) const {
    const std::string value = text(key, otherwise);
    for (const std::string& candidate : choices) {
      if (value == candidate) {
        return value;
      }
    }
    throw ConfigError(fmt::format("{}: \"{}\": \"{}\" is not supported (nearest: \"{}\"; supported: {})", where_, key, value,
                                  nearest(value, choices), fmt::join(choices, ", ")));
  }
  void forbid(const char* key) const {
    if (flag(key, false)) {
      throw ConfigError(fmt::format("{}: \"{}\": true is not supported (nearest: false)", where_, key));
    }
  }
  [[nodiscard]] const std::string& where() const { return where_; }

 private:
  std::string where_;
  const json& object_;
};

FloatActivation activation_of(const Keys& keys, const char* key, const std::string& otherwise) {
  const std::string name = keys.choice(key, otherwise, {"gelu", "gelu_new", "gelu_pytorch_tanh", "relu"});
  return name == "relu" ? FloatActivation::Relu : name == "gelu" ? FloatActivation::GeluErf : FloatActivation::GeluTanh;
}

void check_heads(const Keys& keys, const ModelConfig& config) {
  if (config.d % config.heads != 0) {
    throw ConfigError(
        fmt::format("{}: a width of {} is not a multiple of {} heads", keys.where(), config.d, config.heads));
  }
}

ModelConfig bert_config(const Keys& keys) {
  ModelConfig config;
  config.architecture = Architecture::Bert;
  config.vocabulary = keys.size("vocab_size");
  config.d = keys.size("hidden_size");
  config.layers = keys.size("num_hidden_layers");
  config.heads = keys.size("num_attention_heads");
  config.f = keys.size("intermediate_size");
  config.activation = activation_of(keys, "hidden_act", "gelu");
  config.max_positions = keys.size("max_position_embeddings");
  config.type_vocabulary = keys.has("type_vocab_size") ? keys.size("type_vocab_size") : 2;
  config.norm_epsilon = keys.positive("layer_norm_eps", 1e-12);
  config.embedding_norm = true;
  (void)keys.choice("position_embedding_type", "absolute", {"absolute"});
  config.pad_token = keys.token("pad_token_id", config.vocabulary).value_or(0);
  check_heads(keys, config);
  return config;
}

ModelConfig gpt2_config(const Keys& keys) {
  ModelConfig config;
  config.architecture = Architecture::Gpt2;
  config.vocabulary = keys.size("vocab_size");
  config.d = keys.size("n_embd");
  config.layers = keys.size("n_layer");
  config.heads = keys.size("n_head");
  config.f = keys.has("n_inner") ? keys.size("n_inner") : 4 * config.d;
  config.activation = activation_of(keys, "activation_function", "gelu_new");
  config.max_positions = keys.has("n_positions") ? keys.size("n_positions") : keys.size("n_ctx");
  config.norm_epsilon = keys.positive("layer_norm_epsilon", 1e-5);
  config.scale_scores = keys.flag("scale_attn_weights", true);
  config.scale_scores_by_layer = keys.flag("scale_attn_by_inverse_layer_idx", false);
  if (keys.flag("add_cross_attention", false)) {
    throw ConfigError(fmt::format("{}: \"add_cross_attention\": true is not supported for gpt2 (supported: gpt2 as a "
                                  "decoder of its own; cross attention in \"encoder-decoder\" models of two berts)",
                                  keys.where()));
  }
  check_heads(keys, config);
  return config;
}

ModelConfig encoder_decoder_config(const Keys& keys) {
  const Keys encoder_keys(keys.where() + " \"encoder\"", keys.at("encoder"));
  const Keys decoder_keys(keys.where() + " \"decoder\"", keys.at("decoder"));
  (void)encoder_keys.choice("model_type", "", {"bert"});
  (void)decoder_keys.choice("model_type", "", {"bert"});
  if (!decoder_keys.flag("add_cross_attention", false)) {
    throw ConfigError(decoder_keys.where() + ": \"add_cross_attention\" is not true");
  }
  ModelConfig config = bert_config(encoder_keys);
  const ModelConfig decoder = bert_config(decoder_keys);
  if (decoder.d != config.d || decoder.f != config.f || decoder.heads != config.heads ||
      decoder.activation != config.activation || decoder.norm_epsilon != config.norm_epsilon) {
    throw ConfigError(decoder_keys.where() + ": width, heads, activation and epsilon must be those of the encoder");
  }
  if (decoder.vocabulary != config.vocabulary) {
    throw ConfigError(fmt::format("{}: a vocabulary of {} differs from the encoder's {}", decoder_keys.where(),
                                  decoder.vocabulary, config.vocabulary));
  }
  config.architecture = Architecture::EncoderDecoder;
  config.start_token = keys.token("decoder_start_token_id", config.vocabulary);
  config.decoder_layers = decoder.layers;
  // One limit for both sides: positions beyond the smaller table do not exist on one of them.
  if (decoder.max_positions != config.max_positions) {
    throw ConfigError(decoder_keys.where() + ": \"max_position_embeddings\" differs from the encoder's");
  }
  return config;
}

}  // namespace

ModelConfig read_model_config(const std::string& path) {
  const std::string text = read_file(path);
  json parsed;
  try {
    parsed = json::parse(text);
  } catch (const json::exception& error) {
    throw ConfigError(fmt::format("{}: {}", path, error.what()));
  }
  const Keys keys(path, parsed);
  const std::string type = keys.choice("model_type", "", {"bert", "gpt2", "encoder-decoder"});
  ModelConfig config;
  if (type == "gpt2") {
    config = gpt2_config(keys);
  } else if (type == "encoder-decoder") {
    config = encoder_decoder_config(keys);
  } else {
    if (keys.flag("is_decoder", false) || keys.flag("add_cross_attention", false)) {
      throw ConfigError(fmt::format("{}: \"is_decoder\" or \"add_cross_attention\" of a single bert is not supported "
                                    "(supported: bert as an encoder; as a decoder in \"encoder-decoder\" models)",
                                    path));
    }
    config = bert_config(keys);
  }
  const std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
  config.name = folder.filename().empty() ? folder.parent_path().filename().string() : folder.filename().string();
  return config;
}

}  // namespace systole::workloads
