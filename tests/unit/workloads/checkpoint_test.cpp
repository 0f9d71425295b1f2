#include "workloads/weights/checkpoint.h"

#include <cmath>

#include <gtest/gtest.h>

#include "tiny_checkpoint.h"
#include "workloads/reference/float_model.h"

namespace systole::workloads {
namespace {

std::string error_of(const TinyCheckpoint& checkpoint) {
  const TemporaryFolder folder;
  checkpoint.write(folder);
  try {
    const CheckpointWeights weights(folder.path());
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

Matrix<float> stored_floats(const SafetensorsFile& file, const std::string& name) {
  Matrix<float> matrix;
  matrix.rows = file.view(name).shape.at(0);
  matrix.cols = file.view(name).shape.at(1);
  matrix.data = file.read_floats(name, file.view(name).shape);
  return matrix;
}

void expect_close(const Matrix<float>& a, const Matrix<float>& b) {
  constexpr float kTolerance = 2e-5F;  // another order of fp32 additions
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_NEAR(a.data[i], b.data[i], kTolerance * (1 + std::fabs(b.data[i]))) << i;
  }
}

// The stored results are PyTorch's. A matrix that is transposed by mistake would be far off.
TEST(Checkpoint, bert_layers_compute_what_pytorch_computes) {
  const TemporaryFolder folder;
  tiny_bert().write(folder);
  const CheckpointWeights weights(folder.path());
  EXPECT_TRUE(weights.unknown_tensors().empty());
  const SafetensorsFile vectors(std::string(SYSTOLE_TEST_DATA) + "/numerics/bert_tiny.safetensors");
  Matrix<float> x = stored_floats(vectors, "float.-1.x");
  for (std::size_t index = 0; index < 2; ++index) {
    const reference::LayerTrace trace =
        reference::float_layer(weights.config(), weights.layer(index), x, {index, x.rows, nullptr});
    x = reference::output_of(weights.config(), trace);
    expect_close(x, stored_floats(vectors, "float." + std::to_string(index) + ".x"));
  }
}

TEST(Checkpoint, gpt2_layers_compute_what_pytorch_computes) {
  const TemporaryFolder folder;
  tiny_gpt2().write(folder);
  const CheckpointWeights weights(folder.path());
  EXPECT_TRUE(weights.unknown_tensors().empty());
  const SafetensorsFile vectors(std::string(SYSTOLE_TEST_DATA) + "/numerics/gpt2_tiny.safetensors");
  Matrix<float> h = stored_floats(vectors, "in.h_f32");
  for (std::size_t index = 0; index < 2; ++index) {
    const reference::LayerTrace trace =
        reference::float_layer(weights.config(), weights.layer(index), h, {index, h.rows, nullptr});
    h = reference::output_of(weights.config(), trace);
  }
  const FloatNorm norm = weights.final_norm();
  expect_close(reference::float_norm(h, &norm, weights.config().norm_epsilon), stored_floats(vectors, "float.lnf"));
}

TEST(Checkpoint, embeddings_are_sums_of_table_rows) {
  const TinyCheckpoint checkpoint = tiny_bert();
  const TemporaryFolder folder;
  checkpoint.write(folder);
  const CheckpointWeights weights(folder.path());
  const Matrix<float> x = weights.embed(Side::Encoder, {7, 49}, 3);
  const float* words = checkpoint.tensors.at("embeddings.word_embeddings.weight").as<float>();
  const float* positions = checkpoint.tensors.at("embeddings.position_embeddings.weight").as<float>();
  const float* types = checkpoint.tensors.at("embeddings.token_type_embeddings.weight").as<float>();
  EXPECT_FLOAT_EQ(x.at(1, 5), words[49 * 64 + 5] + types[5] + positions[4 * 64 + 5]);
  EXPECT_THROW((void)weights.embed(Side::Encoder, {50}, 0), ConfigError);
  EXPECT_THROW((void)weights.embed(Side::Encoder, {-1}, 0), ConfigError);
  EXPECT_THROW((void)weights.embed(Side::Encoder, {1, 2}, 31), ConfigError);
}

TEST(Checkpoint, prefixes_and_old_names_are_understood) {
  TinyCheckpoint checkpoint = tiny_bert();
  std::map<std::string, Tensor> renamed;
  for (auto& [name, tensor] : checkpoint.tensors) {
    std::string other = "bert." + name;
    for (const auto& [modern, old] :
         {std::pair{"LayerNorm.weight", "LayerNorm.gamma"}, std::pair{"LayerNorm.bias", "LayerNorm.beta"}}) {
      if (other.find(modern) != std::string::npos) {
        other = replaced(other, modern, old);
      }
    }
    renamed[other] = tensor;
  }
  renamed["cls.predictions.bias"] = Tensor(Dtype::F32, {50});
  renamed["bert.embeddings.position_ids"] = Tensor(Dtype::I64, {1, 32});
  renamed["something.new"] = Tensor(Dtype::F32, {1});
  const TemporaryFolder plain_folder, renamed_folder;
  checkpoint.write(plain_folder);
  checkpoint.tensors = renamed;
  checkpoint.write(renamed_folder);
  const CheckpointWeights plain(plain_folder.path());
  const CheckpointWeights prefixed(renamed_folder.path());
  EXPECT_EQ(plain.layer(1).norm2.gamma, prefixed.layer(1).norm2.gamma);
  EXPECT_EQ(plain.layer(1).down.w.data, prefixed.layer(1).down.w.data);
  EXPECT_EQ(prefixed.unknown_tensors(), std::vector<std::string>{"something.new"});
}

TEST(Checkpoint, an_encoder_decoder_has_cross_attention_in_its_decoder) {
  const TemporaryFolder folder;
  const TinyCheckpoint checkpoint = tiny_encoder_decoder();
  checkpoint.write(folder);
  const CheckpointWeights weights(folder.path());
  EXPECT_EQ(weights.config().architecture, Architecture::EncoderDecoder);
  EXPECT_EQ(weights.config().layers, 1U);
  EXPECT_EQ(weights.config().decoder_layers, 2U);
  EXPECT_FALSE(weights.layer(0).cross.has_value());
  ASSERT_TRUE(weights.layer(2).cross.has_value());
  const float* query =
      checkpoint.tensors.at("decoder.bert.encoder.layer.1.crossattention.self.query.weight").as<float>();
  EXPECT_EQ(weights.layer(2).cross->q.w.at(3, 7), query[7 * 32 + 3]);
}

TEST(Checkpoint, a_missing_or_ill_shaped_tensor_is_named) {
  for (const char* name : {"encoder.layer.1.output.dense.weight", "encoder.layer.0.attention.self.key.bias",
                           "embeddings.position_embeddings.weight", "encoder.layer.1.output.LayerNorm.weight"}) {
    TinyCheckpoint missing = tiny_bert();
    missing.tensors.erase(name);
    EXPECT_NE(error_of(missing).find(name), std::string::npos) << error_of(missing);
    TinyCheckpoint shaped = tiny_bert();
    shaped.tensors[name] = Tensor(Dtype::F32, {3, 3});
    EXPECT_NE(error_of(shaped).find(name), std::string::npos) << error_of(shaped);
  }
}

TEST(Checkpoint, values_of_config_json_that_cannot_be_served_are_named) {
  const TinyCheckpoint bert = tiny_bert();
  const auto with = [&](const TinyCheckpoint& base, const std::string& from, const std::string& to) {
    TinyCheckpoint changed = base;
    changed.config = replaced(base.config, from, to);
    return error_of(changed);
  };
  EXPECT_NE(with(bert, "\"bert\"", "\"bart\"").find("nearest: \"bert\""), std::string::npos);
  EXPECT_NE(with(bert, "\"gelu\"", "\"silu\"").find("hidden_act"), std::string::npos);
  EXPECT_NE(with(bert, "\"hidden_size\":64", "\"hidden_size\":66").find("multiple of 4 heads"), std::string::npos);
  EXPECT_NE(with(bert, "\"hidden_size\":64", "\"hidden_size\":\"64\"").find("hidden_size"), std::string::npos);
  EXPECT_NE(with(bert, "\"num_hidden_layers\":2", "\"num_hidden_layers\":3").find("encoder.layer.2."),
            std::string::npos);
  EXPECT_NE(with(bert, "\"num_hidden_layers\":2,", "").find("\"num_hidden_layers\" is missing"), std::string::npos);
  EXPECT_NE(with(bert, "\"type_vocab_size\"", "\"position_embedding_type\":\"relative_key\",\"type_vocab_size\"")
                .find("position_embedding_type"),
            std::string::npos);
  EXPECT_NE(with(bert, "\"type_vocab_size\"", "\"is_decoder\":true,\"type_vocab_size\"").find("is_decoder"),
            std::string::npos);
  EXPECT_NE(with(bert, "1e-12", "-1").find("layer_norm_eps"), std::string::npos);
  EXPECT_NE(with(bert, "{", "[").find("line 1"), std::string::npos);
  const TinyCheckpoint gpt2 = tiny_gpt2();
  EXPECT_NE(with(gpt2, "\"n_inner\":null", "\"add_cross_attention\":true").find("add_cross_attention"),
            std::string::npos);
  EXPECT_NE(with(gpt2, "\"n_inner\":null", "\"n_inner\":100").find("mlp.c_fc.weight"), std::string::npos);
  const TinyCheckpoint both = tiny_encoder_decoder();
  EXPECT_NE(with(both, "\"add_cross_attention\":true", "\"add_cross_attention\":false").find("add_cross_attention"),
            std::string::npos);
}

TEST(Checkpoint, a_folder_without_its_files_is_named) {
  const TemporaryFolder folder;
  EXPECT_THROW(CheckpointWeights{folder.path()}, ConfigError);
  write_atomically(folder.file("config.json"), tiny_bert().config);
  EXPECT_THROW(CheckpointWeights{folder.path()}, ConfigError);
}

}  // namespace
}  // namespace systole::workloads
