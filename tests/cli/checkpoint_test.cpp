// From a float checkpoint to the simulated machine.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/cli/command_line.h"
#include "tiny_checkpoint.h"

namespace systole::test {
namespace {

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
