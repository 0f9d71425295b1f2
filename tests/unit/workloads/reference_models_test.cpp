// The integer reference against every stored boundary of whole models.
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "sim/base/file.h"
#include "workloads/quantise/quantised_model.h"
#include "workloads/reference/evaluate.h"
#include "workloads/weights/safetensors.h"

namespace systole::workloads::reference {
namespace {

const std::string kData = std::string(SYSTOLE_TEST_DATA) + "/numerics/";

TensorMap inputs_of(const TensorMap& vectors) {
  TensorMap inputs;
  for (const auto& entry : vectors) {
    if (entry.first.rfind("in.", 0) == 0) {
      inputs.insert(entry);
    }
  }
  return inputs;
}

class StoredBoundaries : public ::testing::TestWithParam<const char*> {};

TEST_P(StoredBoundaries, are_reproduced_bit_by_bit) {
  const QuantisedFile file = load_quantised_file(kData + GetParam() + ".safetensors");
  TensorMap computed;
  OverflowCounters overflows;
  evaluate(
      file.model, inputs_of(file.vectors),
      [&](const std::string& name, Tensor tensor) { EXPECT_TRUE(computed.emplace(name, std::move(tensor)).second); },
      overflows);
  std::size_t compared = 0;
  for (const auto& [name, stored] : file.vectors) {
    if (name.rfind("act.", 0) != 0 && name.rfind("out.", 0) != 0) {
      continue;
    }
    ASSERT_EQ(computed.count(name), 1U) << name;
    const Tensor& tensor = computed.at(name);
    EXPECT_EQ(tensor.dtype, stored.dtype) << name;
    EXPECT_EQ(tensor.shape, stored.shape) << name;
    EXPECT_EQ(tensor.bytes, stored.bytes) << name;
    ++compared;
  }
  EXPECT_EQ(compared, computed.size());
  EXPECT_EQ(overflows.total(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Vectors, StoredBoundaries,
                         ::testing::Values("bert_tiny", "bert_tiny_fold", "gpt2_tiny", "xattn_odd"));

TEST(ReferenceDecoder, token_by_token_equals_all_rows_at_once) {
  const QuantisedFile file = load_quantised_file(kData + "gpt2_tiny.safetensors");
  const Tensor& h0 = file.vectors.at("act.-1.h0");
  const Tensor& expected = file.vectors.at("act.2.lnf");
  const Tensor& keys = file.vectors.at("act.1.k");
  const std::size_t l = file.model.sequence, d = file.model.d, dk = file.model.dk();
  OverflowCounters overflows;
  Decoder decoder(file.model);
  std::size_t done = 0;
  while (done < l) {
    const std::size_t count = done == 0 ? file.model.prefill : 1;
    Matrix<std::int32_t> rows(count, d);
    std::copy(h0.as<std::int32_t>() + done * d, h0.as<std::int32_t>() + (done + count) * d, rows.data.begin());
    const Matrix<std::int8_t> lnf = decoder.append(
        rows,
        [&](const std::string& name, Tensor tensor) {
          if (name != "act.1.k") {
            return;
          }
          for (std::size_t h = 0; h < file.model.heads; ++h) {
            EXPECT_EQ(std::memcmp(tensor.as<std::int8_t>() + h * count * dk,
                                  keys.as<std::int8_t>() + (h * l + done) * dk, count * dk),
                      0);
          }
        },
        overflows);
    EXPECT_EQ(std::memcmp(lnf.data.data(), expected.as<std::int8_t>() + done * d, count * d), 0) << "row " << done;
    done += count;
  }
  EXPECT_EQ(decoder.rows(), l);
}

TEST(ReferenceMask, masked_keys_do_not_reach_the_context) {
  QuantisedFile file = load_quantised_file(kData + "bert_tiny.safetensors");
  constexpr std::size_t kValid = 11;
  file.model.valid = kValid;
  const TensorMap masked = evaluate(file.model, inputs_of(file.vectors));
  // The same rows without padding at all.
  const std::size_t d = file.model.d;
  const std::int8_t* x0 = file.vectors.at("act.-1.x0").as<std::int8_t>();
  const TensorMap inputs{{"act.-1.x0", Tensor::from(x0, {kValid, d})}};
  const TensorMap cut = evaluate(file.model, inputs);
  for (const char* name : {"act.0.ln1", "act.1.ln2", "act.1.attn_acc"}) {
    const Tensor& expected = cut.at(name);
    EXPECT_EQ(std::memcmp(masked.at(name).bytes.data(), expected.bytes.data(), expected.bytes.size()), 0) << name;
  }
  for (std::size_t key = kValid; key < file.model.sequence; ++key) {
    EXPECT_EQ(masked.at("act.0.p").as<std::int8_t>()[key], 0);
    EXPECT_FALSE(key_is_visible(file.model, file.model.valid, 0, false, 0, key));
  }
}

TEST(ReferenceInputs, missing_and_ill_shaped_inputs_are_named) {
  const QuantisedFile file = load_quantised_file(kData + "bert_tiny.safetensors");
  EXPECT_THROW((void)evaluate(file.model, {}), ConfigError);
  EXPECT_THROW((void)evaluate(file.model, {{"act.-1.x0", Tensor(Dtype::I8, {4, 63})}}), ConfigError);
  EXPECT_THROW((void)evaluate(file.model, {{"in.emb_f32", Tensor(Dtype::I8, {4, 64})}}), ConfigError);
  EXPECT_THROW((void)evaluate(file.model, {{"act.-1.x0", Tensor(Dtype::I8, {0, 64})}}), ConfigError);
}

// Random damage anywhere in a stored model: it is refused, or it is evaluated to whatever its integers mean.
TEST(ReferenceInputs, damaged_models_are_refused_or_evaluated) {
  constexpr std::uint32_t kSeed = 4;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  for (const char* name : {"bert_tiny", "gpt2_tiny", "xattn_odd"}) {
    const std::string good = read_file(kData + name + ".safetensors");
    std::uint64_t header = 0;
    std::memcpy(&header, good.data(), sizeof header);
    int evaluated = 0;
    for (int trial = 0; trial < 150; ++trial) {
      std::string bytes = good;
      // Half of the time a few header bytes, else many data bytes.
      const bool in_header = trial % 2 == 0;
      for (int edit = 0; edit < (in_header ? 2 : 200); ++edit) {
        const std::size_t at = in_header ? 8 + random() % header : 8 + header + random() % (bytes.size() - 8 - header);
        bytes[at] = in_header ? "0123456789"[random() % 10] : static_cast<char>(random());
      }
      try {
        const SafetensorsFile file(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), name);
        const QuantisedFile loaded = load_quantised_file(file);
        (void)evaluate(loaded.model, inputs_of(loaded.vectors));
        ++evaluated;
      } catch (const ConfigError&) {
      }
    }
    EXPECT_GT(evaluated, 0) << name;
  }
}

}  // namespace
}  // namespace systole::workloads::reference
