// From a float checkpoint to the simulated machine.
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
