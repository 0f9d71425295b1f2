// From a float checkpoint to the simulated machine.
#include <filesystem>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/cli/command_line.h"
#include "tiny_checkpoint.h"

namespace systole::test {
namespace {

using Json = nlohmann::json;

TEST(Quantize, a_checkpoint_becomes_a_model_that_validates) {
  const workloads::TemporaryFolder checkpoint;
  workloads::tiny_bert().write(checkpoint);
  const TemporaryDirectory directory;
  const std::string model = directory.path("model.safetensors");
  const Outcome quantized = run({"quantize", checkpoint.path(), "--seq", "16", "-o", model, "--vectors", "--json", "-"});
  ASSERT_EQ(quantized.code, 0) << quantized.error;
  const auto json = nlohmann::json::parse(quantized.out);
  EXPECT_GE(json.at("boundaries").size(), 20u);
  for (const auto& boundary : json.at("boundaries")) EXPECT_GT(boundary.at("sqnr_db").get<double>(), 10) << boundary;

  const Outcome validated = run({"validate", model});
  EXPECT_EQ(validated.code, 0) << validated.error;
  EXPECT_NE(validated.out.find("equal"), std::string::npos);
  const Outcome ran = run({"run", checkpoint.path(), "--seq", "16", "--json", "-"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(nlohmann::json::parse(ran.out).at("layers"), 2);
}

TEST(Run, a_machine_without_units_for_them_leaves_non_linear_operations_to_the_cpu) {
  const workloads::TemporaryFolder checkpoint;
  workloads::tiny_bert().write(checkpoint);
  const auto cycles = [&](const std::vector<std::string>& settings) {
    std::vector<std::string> words = {"run", checkpoint.path(), "--seq", "16", "--machine", "survey-baseline", "--json", "-"};
    for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, 0) << outcome.error;
    const auto json = nlohmann::json::parse(outcome.out);
    EXPECT_EQ(json.at("checks").at("mismatches"), 0);
    EXPECT_GT(json.at("checks").at("sqnr_db").get<double>(), 20);
    std::uint64_t sum = 0;
    for (const auto& region : json.at("regions")) sum += region.at("cycles").get<std::uint64_t>();
    EXPECT_EQ(sum, json.at("cycles"));
    EXPECT_GT(json.at("units").at("host").at("stall").at("host_operation").get<double>(), 0.5 * json.at("cycles").get<double>());
    return json.at("cycles").get<std::uint64_t>();
  };
  const std::uint64_t dram = cycles({});
  EXPECT_LT(cycles({"host.data=l2"}), dram);
  EXPECT_LT(cycles({"host.code=unrolled"}), dram);
  EXPECT_GT(cycles({"soc.axi_latency=100"}), dram);
}

// A quantised file of one of the small checkpoints.
std::string quantised(const workloads::TinyCheckpoint& checkpoint, const TemporaryDirectory& directory, std::vector<std::string> options = {}) {
  const workloads::TemporaryFolder folder;
  checkpoint.write(folder);
  const std::string model = directory.path("model.safetensors");
  options.insert(options.begin(), {"quantize", folder.path(), "--seq", "16", "-o", model, "--quiet"});
  const Outcome outcome = run(options);
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  return model;
}

Json run_json(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "run");
  arguments.insert(arguments.end(), {"--json", "-"});
  const Outcome outcome = run(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  if (outcome.code != 0) return {};
  Json json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("checks").at("mismatches"), 0);
  EXPECT_EQ(json.at("checks").at("overflows"), 0);
  return json;
}

TEST(Generate, sixteen_tokens_are_those_that_the_whole_sequence_predicts) {
  const TemporaryDirectory directory;
  const std::string model = quantised(workloads::tiny_gpt2(), directory);
  const Json generated = run_json({model, "--tokens", "3,14,15,9", "--generate", "16"});
  const std::vector<int> tokens = generated.at("tokens").at(0).at("generated");
  ASSERT_EQ(tokens.size(), 16u);
  // All rows at once, no cache: the same integers, so every row predicts the token behind it.
  std::string all = "3,14,15,9";
  for (const int token : tokens) all += "," + std::to_string(token);
  const Json whole = run_json({model, "--tokens", all, "--head"});
  const std::vector<int> predicted = whole.at("tokens").at(0).at("predicted");
  EXPECT_TRUE(std::equal(tokens.begin(), tokens.end(), predicted.begin() + 3));
}

TEST(Generate, an_encoder_decoder_starts_with_its_own_token) {
  const TemporaryDirectory directory;
  workloads::TinyCheckpoint checkpoint = workloads::tiny_encoder_decoder();
  EXPECT_NE(checkpoint.config.find("\"encoder-decoder\","), std::string::npos);
  const workloads::TemporaryFolder folder;
  checkpoint.config.insert(1, "\"decoder_start_token_id\":7,");
  checkpoint.add_language_head("decoder.", 32, 40);
  checkpoint.write(folder);
  const std::string model = directory.path("m.safetensors");
  ASSERT_EQ(run({"quantize", folder.path(), "--seq", "9", "-o", model, "--quiet"}).code, 0);
  const Json generated = run_json({model, "--tokens", "3,14,15,9", "--tokens", "11,2", "--generate", "3"});
  EXPECT_EQ(generated.at("tokens").at(0).at("prompt"), Json({7}));
  const std::vector<int> tokens = generated.at("tokens").at(1).at("generated");
  std::string target = "7";
  for (const int token : tokens) target += "," + std::to_string(token);
  // Alone, without padding: the same bits.
  const Json whole = run_json({model, "--tokens", "11,2", "--target", target, "--head"});
  const std::vector<int> predicted = whole.at("tokens").at(0).at("predicted");
  EXPECT_TRUE(std::equal(tokens.begin(), tokens.end(), predicted.begin()));
}

TEST(MaskedLanguageHead, predicts_a_token_for_every_row) {
  const TemporaryDirectory directory;
  workloads::TinyCheckpoint checkpoint = workloads::tiny_bert();
  checkpoint.add_language_head("", 64, 50);
  const std::string model = quantised(checkpoint, directory, {"--head"});
  const Json json = run_json({model, "--tokens", "3 14 15", "--head"});
  EXPECT_EQ(json.at("tokens").at(0).at("predicted").size(), 3u);
  const workloads::TemporaryFolder bare;
  workloads::tiny_bert().write(bare);
  EXPECT_NE(run({"run", bare.path(), "--head"}).error.find("cls.predictions"), std::string::npos);
  EXPECT_NE(run({"run", quantised(workloads::tiny_bert(), directory), "--head"}).error.find("systole quantize --head"), std::string::npos);
}

TEST(Batch, sequences_of_different_lengths_do_not_see_their_padding) {
  const TemporaryDirectory directory;
  const std::string model = quantised(workloads::tiny_bert(), directory);
  const std::string file = directory.write("tokens.txt", "# two sequences\n3 14 15 9 26\n\n5, 35\n");
  const Json both = run_json({model, "--input", file});
  EXPECT_EQ(both.at("seq"), 5);
  const Json again = run_json({model, "--tokens", "3,14,15,9,26", "--tokens", "5,35", "--batch", "2"});
  EXPECT_EQ(again.at("cycles"), both.at("cycles"));
  // Weights in floating point are the judge of the padded one.
  const workloads::TemporaryFolder folder;
  workloads::tiny_bert().write(folder);
  EXPECT_GT(run_json({folder.path(), "--input", file}).at("checks").at("sqnr_db").get<double>(), 20);
}

TEST(Batch, repeats_one_sequence_on_every_architecture) {
  const TemporaryDirectory directory;
  EXPECT_EQ(run_json({quantised(workloads::tiny_gpt2(), directory), "--tokens", "1,2,3", "--batch", "3", "--generate", "2"}).at("tokens").size(), 3u);
  (void)run_json({quantised(workloads::tiny_bert(), directory), "--batch", "3", "--seq", "7"});
  (void)run_json({quantised(workloads::tiny_encoder_decoder(), directory), "--batch", "2", "--seq", "7"});
}

// A damaged checkpoint, quantised: exit code 2, a message, and no file.
void refuses(const workloads::TinyCheckpoint& checkpoint, const std::vector<std::string>& messages) {
  const workloads::TemporaryFolder folder;
  checkpoint.write(folder);
  const TemporaryDirectory directory;
  const std::string model = directory.path("model.safetensors");
  const Outcome outcome = run({"quantize", folder.path(), "--seq", "16", "-o", model});
  EXPECT_EQ(outcome.code, 2) << outcome.error;
  for (const std::string& message : messages) EXPECT_NE(outcome.error.find(message), std::string::npos) << outcome.error;
  EXPECT_FALSE(std::filesystem::exists(model));
  const Outcome ran = run({"run", folder.path(), "--seq", "16", "--json", model});
  EXPECT_EQ(ran.code, 2) << ran.error;
  EXPECT_FALSE(std::filesystem::exists(model));
}

workloads::TinyCheckpoint with_config(workloads::TinyCheckpoint checkpoint, const std::string& before, const std::string& after) {
  const std::size_t at = checkpoint.config.find(before);
  EXPECT_NE(at, std::string::npos) << before;
  checkpoint.config.replace(at, before.size(), after);
  return checkpoint;
}

TEST(BadCheckpoint, is_refused_by_name_and_leaves_no_file) {
  const std::string query = "encoder.layer.1.attention.self.query.weight";
  workloads::TinyCheckpoint bert = workloads::tiny_bert();
  bert.tensors.erase(query);
  refuses(bert, {query, "missing"});
  bert = workloads::tiny_bert();
  bert.tensors[query].shape = {32, 128};
  refuses(bert, {query, "[32, 128]", "[64, 64]"});
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    bert = workloads::tiny_bert();
    bert.tensors["encoder.layer.0.output.dense.weight"].as<float>()[17] = bad;
    refuses(bert, {"encoder.layer.0.output.dense.weight", "NaN or infinity", "element 17"});
    // Also where no token of the calibration looks.
    bert = workloads::tiny_bert();
    workloads::Tensor& words = bert.tensors["embeddings.word_embeddings.weight"];
    words.as<float>()[words.elements() - 1] = bad;
    refuses(bert, {"embeddings.word_embeddings.weight", "NaN or infinity"});
  }
  refuses(with_config(workloads::tiny_bert(), "{", R"({"position_embedding_type":"relative_key",)"),
          {"position_embedding_type", "relative_key", "supported: absolute"});
  refuses(with_config(workloads::tiny_bert(), R"("hidden_act":"gelu")", R"("hidden_act":"silu")"), {"hidden_act", "silu", "supported: gelu, gelu_new"});
  refuses(with_config(workloads::tiny_bert(), R"("model_type":"bert")", R"("model_type":"llama")"), {"model_type", "llama", "supported: bert, gpt2, encoder-decoder"});
  refuses(with_config(workloads::tiny_gpt2(), "{", R"({"add_cross_attention":true,)"), {"add_cross_attention", "supported:"});
  refuses(with_config(workloads::tiny_bert(), "{", R"({"is_decoder":true,)"), {"is_decoder", "supported:"});
  refuses(with_config(workloads::tiny_bert(), R"("vocab_size":50)", R"("vocab_size":0)"), {"vocab_size"});
}

TEST(BadTokens, are_refused_with_what_would_fit) {
  const workloads::TemporaryFolder folder;
  workloads::tiny_bert().write(folder);
  const workloads::TemporaryFolder gpt2;
  workloads::tiny_gpt2().write(gpt2);
  const TemporaryDirectory directory;
  const auto says = [&](std::vector<std::string> arguments, const std::string& message) {
    arguments.insert(arguments.begin(), "run");
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2) << outcome.error;
    EXPECT_NE(outcome.error.find(message), std::string::npos) << outcome.error;
  };
  says({folder.path(), "--tokens", "1,50"}, "token 50 is outside the vocabulary");
  says({folder.path(), "--tokens", "1,x"}, "--tokens: 'x' is no token id");
  says({folder.path(), "--tokens", "1,-2"}, "--tokens: '-2' is no token id");
  says({folder.path(), "--tokens", ""}, "--tokens: no token ids");
  says({folder.path(), "--seq", "33"}, "longer than the 32 positions");
  std::string many = "1";
  for (int i = 0; i < 32; ++i) many += ",1";
  says({folder.path(), "--tokens", many}, "32");
  says({folder.path(), "--tokens", "1,2", "--seq", "2"}, "--seq: the tokens say");
  says({folder.path(), "--tokens", "1,2", "--target", "3"}, "no encoder and decoder");
  says({folder.path(), "--tokens", "1,2", "--tokens", "3", "--batch", "3"}, "the input has 2 sequences");
  says({folder.path(), "--input", "absent.txt"}, "absent.txt");
  const std::string file = directory.write("t.txt", "1 2\n3 four\n");
  says({folder.path(), "--input", file}, file + ":2: 'four' is no token id");
  says({gpt2.path(), "--tokens", "1,2", "--tokens", "3", "--generate", "2"}, "must be equally long");
  says({gpt2.path(), "--seq", "30", "--generate", "3"}, "longer than the 32 positions");
  says({SYSTOLE_TEST_DATA "/numerics/gpt2_tiny.safetensors", "--generate", "2"}, "systole quantize --head");
  says({SYSTOLE_TEST_DATA "/numerics/gpt2_tiny.safetensors", "--tokens", "1,2"}, "no embedding tables");
}

TEST(Checkpoint, shards_are_found_through_their_index) {
  const workloads::TinyCheckpoint whole = workloads::tiny_bert();
  const workloads::TemporaryFolder folder;
  std::map<std::string, workloads::Tensor> parts[2];
  std::string index;
  for (const auto& [name, tensor] : whole.tensors) {
    const std::size_t part = name.size() % 2;
    parts[part].emplace(name, tensor);
    index += (index.empty() ? "" : ",") + ("\"" + name + "\":\"part" + std::to_string(part) + ".safetensors\"");
  }
  for (int part : {0, 1}) workloads::write_safetensors(folder.file("part" + std::to_string(part) + ".safetensors"), parts[part]);
  write_atomically(folder.file("model.safetensors.index.json"), "{\"metadata\":{},\"weight_map\":{" + index + "}}");
  write_atomically(folder.file("config.json"), whole.config);
  const workloads::TemporaryFolder together;
  whole.write(together);
  EXPECT_EQ(run_json({folder.path(), "--seq", "9"}).at("checks").at("sqnr_db"), run_json({together.path(), "--seq", "9"}).at("checks").at("sqnr_db"));
}

TEST(Validate, a_planted_bit_ends_with_1_and_names_where_it_shows) {
  const TemporaryDirectory directory;
  const std::string model = quantised(workloads::tiny_bert(), directory, {"--vectors"});
  const workloads::SafetensorsFile file(model);
  std::map<std::string, workloads::Tensor> tensors;
  for (const auto& entry : file.tensors()) tensors.emplace(entry.first, file.read(entry.first));
  tensors.at("q.1.W1").bytes.at(7 * 128 + 100) ^= 0x20;
  workloads::write_safetensors(directory.path("wrong.safetensors"), tensors, file.metadata());
  const Outcome outcome = run({"validate", directory.path("wrong.safetensors")});
  EXPECT_EQ(outcome.code, 1);
  for (const char* part : {"layer 1", "tensor act.1.ffn1_acc", "row ", "column 100", "written by item", "loop_ws"}) {
    EXPECT_NE(outcome.error.find(part), std::string::npos) << outcome.error;
  }
  EXPECT_NE(run({"validate", quantised(workloads::tiny_bert(), directory)}).error.find("quantize --vectors"), std::string::npos);
}

TEST(Quantize, mistakes_name_file_and_key) {
  const TemporaryDirectory directory;
  const std::string model = directory.path("model.safetensors");
  EXPECT_NE(run({"quantize", directory.path(""), "-o", model}).error.find("config.json"), std::string::npos);
  EXPECT_EQ(run({"quantize", directory.path(""), "-o", model}).code, 2);
  EXPECT_NE(run({"quantize", "bert-bse", "-o", model}).error.find("bert-base"), std::string::npos);
  EXPECT_NE(run({"quantize", "bert-base"}).error.find("-o FILE is missing"), std::string::npos);
  EXPECT_NE(run({"quantize", "bert-base", "-o", model, "--norm", "affin"}).error.find("nearest: 'affine'"), std::string::npos);
  EXPECT_EQ(run({"run", directory.path("")}).code, 2);
}

}  // namespace
}  // namespace systole::test
