#pragma once
// Checkpoint folders made from the stored float models, which lack embeddings and config.json.
#include <map>
#include <random>
#include <string>

#include "sim/base/file.h"
#include "temporary_folder.h"
#include "workloads/weights/safetensors.h"

namespace systole::workloads {

inline Tensor random_tensor(std::mt19937& random, Shape shape, float center = 0.0F, float width = 0.05F) {
  Tensor tensor(Dtype::F32, std::move(shape));
  for (std::size_t i = 0; i < tensor.elements(); ++i) {
    const auto unit = static_cast<float>(random() % 20001) / 10000.0F - 1.0F;
    tensor.as<float>()[i] = center + width * unit;
  }
  return tensor;
}

struct TinyCheckpoint {
  std::map<std::string, Tensor> tensors;
  std::string config;

  // BERT's masked-language head, tied to the word embeddings.
  void add_language_head(const std::string& prefix, std::size_t d, std::size_t vocabulary);

  void write(const TemporaryFolder& folder) const {
    write_safetensors(folder.file("model.safetensors"), tensors);
    write_atomically(folder.file("config.json"), config);
  }
};

inline void TinyCheckpoint::add_language_head(const std::string& prefix, std::size_t d, std::size_t vocabulary) {
  std::mt19937 random(9);
  const std::string name = prefix + "cls.predictions.";
  tensors[name + "transform.dense.weight"] = random_tensor(random, {d, d}, 0.0F, 0.3F);
  tensors[name + "transform.dense.bias"] = random_tensor(random, {d});
  tensors[name + "transform.LayerNorm.weight"] = random_tensor(random, {d}, 1.0F, 0.3F);
  tensors[name + "transform.LayerNorm.bias"] = random_tensor(random, {d}, 0.0F, 0.3F);
  tensors[name + "bias"] = random_tensor(random, {vocabulary});
}

inline TinyCheckpoint stored_checkpoint(const std::string& name) {
  TinyCheckpoint checkpoint;
  const SafetensorsFile file(std::string(SYSTOLE_TEST_DATA) + "/numerics/" + name + ".model.safetensors");
  for (const auto& entry : file.tensors()) {
    checkpoint.tensors.emplace(entry.first, file.read(entry.first));
  }
  return checkpoint;
}

// d 64, 4 heads, f 128, 2 layers.
inline TinyCheckpoint tiny_bert() {
  TinyCheckpoint checkpoint = stored_checkpoint("bert_tiny");
  std::mt19937 random(1);
  checkpoint.tensors["embeddings.word_embeddings.weight"] = random_tensor(random, {50, 64});
  checkpoint.tensors["embeddings.position_embeddings.weight"] = random_tensor(random, {32, 64});
  checkpoint.tensors["embeddings.token_type_embeddings.weight"] = random_tensor(random, {2, 64});
  checkpoint.tensors["embeddings.LayerNorm.weight"] = random_tensor(random, {64}, 1.0F, 0.1F);
  checkpoint.tensors["embeddings.LayerNorm.bias"] = random_tensor(random, {64});
  checkpoint.config =
      R"({"model_type":"bert","vocab_size":50,"hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,
    "intermediate_size":128,"hidden_act":"gelu","max_position_embeddings":32,"type_vocab_size":2,"layer_norm_eps":1e-12})";
  return checkpoint;
}

// d 64, 4 heads, f 256, 2 layers.
inline TinyCheckpoint tiny_gpt2() {
  TinyCheckpoint checkpoint = stored_checkpoint("gpt2_tiny");
  std::mt19937 random(2);
  checkpoint.tensors["wte.weight"] = random_tensor(random, {50, 64});
  checkpoint.tensors["wpe.weight"] = random_tensor(random, {32, 64});
  checkpoint.tensors["h.0.attn.bias"] = Tensor(Dtype::F32, {1, 1, 32, 32});
  checkpoint.config =
      R"({"model_type":"gpt2","vocab_size":50,"n_positions":32,"n_embd":64,"n_layer":2,"n_head":4,"n_inner":null,
    "activation_function":"gelu_new","layer_norm_epsilon":1e-5})";
  return checkpoint;
}

// Two BERTs of d 32, 2 heads, f 64; 1 + 2 layers.
inline TinyCheckpoint tiny_encoder_decoder() {
  TinyCheckpoint checkpoint;
  std::mt19937 random(3);
  const auto linear = [&](const std::string& name, std::size_t out, std::size_t in) {
    checkpoint.tensors[name + ".weight"] = random_tensor(random, {out, in}, 0.0F, 0.3F);
    checkpoint.tensors[name + ".bias"] = random_tensor(random, {out});
  };
  const auto norm = [&](const std::string& name) {
    checkpoint.tensors[name + ".weight"] = random_tensor(random, {32}, 1.0F, 0.3F);
    checkpoint.tensors[name + ".bias"] = random_tensor(random, {32}, 0.0F, 0.3F);
  };
  const auto attention = [&](const std::string& name) {
    for (const char* part : {".self.query", ".self.key", ".self.value", ".output.dense"}) {
      linear(name + part, 32, 32);
    }
    norm(name + ".output.LayerNorm");
  };
  const auto side = [&](const std::string& prefix, int layers, bool decodes) {
    checkpoint.tensors[prefix + "embeddings.word_embeddings.weight"] = random_tensor(random, {40, 32});
    checkpoint.tensors[prefix + "embeddings.position_embeddings.weight"] = random_tensor(random, {24, 32});
    checkpoint.tensors[prefix + "embeddings.token_type_embeddings.weight"] = random_tensor(random, {2, 32});
    norm(prefix + "embeddings.LayerNorm");
    for (int layer = 0; layer < layers; ++layer) {
      const std::string name = prefix + "encoder.layer." + std::to_string(layer) + ".";
      attention(name + "attention");
      if (decodes) {
        attention(name + "crossattention");
      }
      linear(name + "intermediate.dense", 64, 32);
      linear(name + "output.dense", 32, 64);
      norm(name + "output.LayerNorm");
    }
  };
  side("encoder.", 1, false);
  side("decoder.bert.", 2, true);
  const std::string sizes =
      R"("model_type":"bert","vocab_size":40,"hidden_size":32,"num_attention_heads":2,"intermediate_size":64,"max_position_embeddings":24)";
  checkpoint.config = R"({"model_type":"encoder-decoder","encoder":{)" + sizes +
                      R"(,"num_hidden_layers":1},"decoder":{)" + sizes +
                      R"(,"num_hidden_layers":2,"is_decoder":true,"add_cross_attention":true}})";
  return checkpoint;
}

}  // namespace systole::workloads
