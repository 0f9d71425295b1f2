#include "workloads/quantise/quantised_model.h"

#include <gtest/gtest.h>

#include "temporary_folder.h"
#include "workloads/weights/safetensors.h"

namespace systole::workloads {
namespace {

const std::string kData = std::string(SYSTOLE_TEST_DATA) + "/numerics/";

TEST(QuantisedModel, reads_sizes_and_constants_of_an_encoder) {
  const QuantisedFile file = load_quantised_file(kData + "bert_tiny.safetensors");
  const QuantisedModel& model = file.model;
  EXPECT_EQ(model.architecture, Architecture::Bert);
  EXPECT_EQ(model.norm_form, NormForm::Affine);
  EXPECT_EQ(model.probability_form, ProbabilityForm::Deferred);
  EXPECT_EQ(model.layers.size(), 2U);
  EXPECT_EQ(model.d, 64U);
  EXPECT_EQ(model.f, 128U);
  EXPECT_EQ(model.dk(), 16U);
  EXPECT_EQ(model.sequence, 16U);
  EXPECT_FALSE(model.wide_variance);
  EXPECT_EQ(model.notes.at("seed"), "1");
  EXPECT_EQ(model.layers[0].attention.heads[0].exp.qln2, 2559);
  EXPECT_EQ(model.layers[0].attention.heads[0].pre_shift, 6);
  EXPECT_LT(model.layers[0].activation.scale, 0);
  EXPECT_EQ(file.vectors.at("act.-1.x0").shape, (Shape{16, 64}));
  EXPECT_EQ(file.vectors.count("q.0.W1"), 0U);
}

TEST(QuantisedModel, reads_the_other_architectures) {
  const QuantisedModel fold = load_quantised_model(kData + "bert_tiny_fold.safetensors");
  EXPECT_EQ(fold.norm_form, NormForm::Fold);
  EXPECT_EQ(fold.probability_form, ProbabilityForm::Calibrated);
  EXPECT_EQ(fold.layers[1].ffn_residual.diagonal.size(), 64U);
  const QuantisedModel gpt2 = load_quantised_model(kData + "gpt2_tiny.safetensors");
  EXPECT_TRUE(gpt2.wide_variance);
  EXPECT_EQ(gpt2.f, 256U);
  EXPECT_EQ(gpt2.prefill, 17U);
  EXPECT_TRUE(gpt2.final_norm.has_value());
  const QuantisedModel cross = load_quantised_model(kData + "xattn_odd.safetensors");
  EXPECT_EQ(cross.architecture, Architecture::CrossAttention);
  EXPECT_EQ(cross.queries, 9U);
  EXPECT_EQ(cross.keys, 21U);
}

TEST(QuantisedModel, mask_follows_the_published_formula) {
  const QuantisedModel gpt2 = load_quantised_model(kData + "gpt2_tiny.safetensors");
  const HeadWeights& head = gpt2.layers[0].attention.heads[0];
  EXPECT_EQ(mask_magnitude(gpt2.dk(), head), 2 * 16 * 16384 + ((48 * 2961 + 64) << 6));
}

TEST(QuantisedModel, survives_writing_and_reading) {
  for (const char* name : {"bert_tiny", "bert_tiny_fold", "gpt2_tiny", "xattn_odd"}) {
    const std::string path = kData + name + ".safetensors";
    const QuantisedFile first = load_quantised_file(path);
    const TemporaryFolder folder;
    const std::string copy = folder.file("copy");
    save_quantised_model(copy, first.model, first.vectors);
    // Every tensor of the original is in the copy, bit by bit.
    const SafetensorsFile original(path);
    const SafetensorsFile written(copy);
    for (const auto& entry : original.tensors()) {
      EXPECT_EQ(written.read(entry.first).bytes, original.read(entry.first).bytes) << name << " " << entry.first;
    }
    for (const auto& [key, value] : original.metadata()) {
      EXPECT_EQ(written.metadata().at(key), value) << name << " " << key;
    }
  }
}

// Removing, reshaping or retyping any parameter is an error that names it.
TEST(QuantisedModel, names_the_tensor_that_is_wrong) {
  const TemporaryFolder folder;
  const std::string path = folder.file("bad");
  const SafetensorsFile original(kData + "gpt2_tiny.safetensors");
  std::map<std::string, Tensor> tensors;
  for (const auto& entry : original.tensors()) {
    tensors.emplace(entry.first, original.read(entry.first));
  }
  for (const char* name :
       {"q.0.W1", "q.0.W2", "q.1.bo", "q.1.n2.g", "nf.a", "q.0.at.2.Wk", "q.0.at.0.c", "q.1.ge.c", "q.0.at.1.ae"}) {
    for (int damage = 0; damage < 3; ++damage) {
      std::map<std::string, Tensor> bad = tensors;
      Tensor& tensor = bad.at(name);
      if (damage == 0) {
        bad.erase(name);
      } else if (damage == 1) {
        tensor.shape.push_back(1);
      } else {
        tensor = Tensor(tensor.dtype == Dtype::F32 ? Dtype::F64 : Dtype::F32, tensor.shape);
      }
      write_safetensors(path, bad, original.metadata());
      try {
        (void)load_quantised_model(path);
        ADD_FAILURE() << name << " accepted with damage " << damage;
      } catch (const ConfigError& error) {
        EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
      }
    }
  }
}

TEST(QuantisedModel, refuses_impossible_sizes) {
  const TemporaryFolder folder;
  const std::string path = folder.file("sizes");
  const SafetensorsFile original(kData + "bert_tiny.safetensors");
  std::map<std::string, Tensor> tensors;
  for (const auto& entry : original.tensors()) {
    tensors.emplace(entry.first, original.read(entry.first));
  }
  const std::pair<const char*, const char*> kBad[] = {{"d", "63"},
                                                      {"heads", "0"},
                                                      {"heads", "-4"},
                                                      {"layers", "3"},
                                                      {"layers", "0"},
                                                      {"valid", "17"},
                                                      {"arch", "berd"},
                                                      {"p", "none"},
                                                      {"l", "x"},
                                                      {"ln", "x"},
                                                      {"d", "99999999999999999999"}};
  for (const auto& [key, value] : kBad) {
    Metadata metadata = original.metadata();
    metadata[key] = value;
    write_safetensors(path, tensors, metadata);
    EXPECT_THROW((void)load_quantised_model(path), ConfigError) << key << " = " << value;
  }
}

}  // namespace
}  // namespace systole::workloads
