#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "sim/base/errors.h"
#include "sim/base/file.h"
#include "sim/config/machine_config.h"
#include "sim/study/sdpa.h"
#include "sim/study/systolic_attention.h"

namespace systole::test {
namespace {

TEST(SdpaStudy, writes_every_claim_with_its_verdict) {
  const std::filesystem::path directory = std::filesystem::path(::testing::TempDir()) / "systole_sdpa_study";
  std::filesystem::create_directories(directory);
  study::SdpaOptions options;
  options.directory = directory.string();
  options.largest_rows = 512;
  options.largest_values = 512;
  options.dim = 8;
  const study::SdpaSummary summary = study::reproduce_sdpa(options);

  std::set<std::string> deviating;
  for (const auto& claim : summary.claims) {
    EXPECT_FALSE(claim.rows.empty()) << claim.id;
    for (const auto& row : claim.rows) {
      EXPECT_FALSE(row.cause.empty()) << row.item;
      if (row.verdict == study::Verdict::kDeviation) deviating.insert(claim.id);
      EXPECT_TRUE(row.verdict != study::Verdict::kPass || (row.paper && row.ours)) << row.item;
    }
  }
  EXPECT_EQ(deviating, std::set<std::string>{"depths"});  // less than given suffices at the paper's intervals
  EXPECT_EQ(summary.open, 1u);                            // the systolic machine

  const std::string csv = read_file(options.directory + "/sdpa.csv");
  EXPECT_EQ(csv.substr(0, csv.find('\n')), "experiment,item,paper,ours,ratio,cause");
  EXPECT_NE(csv.find("sdpa/depths,\"A N=512 bypass: smallest depth, intervals of 1\",536,536,1,"), std::string::npos)
      << csv;
  for (const char* name : {"sdpa.md", "sdpa_depths.csv", "sdpa_occupancy.csv", "sdpa_speed.csv"})
    EXPECT_FALSE(read_file(options.directory + "/" + name).empty());
  std::filesystem::remove_all(directory);
}

TEST(SdpaStudy, fills_in_the_systolic_machine_when_there_is_one) {
  const std::filesystem::path directory = std::filesystem::path(::testing::TempDir()) / "systole_sdpa_systolic";
  std::filesystem::create_directories(directory);
  study::SdpaOptions options;
  options.directory = directory.string();
  options.largest_rows = 0;
  options.largest_values = 1;
  options.dim = 8;
  options.systolic = [](std::uint64_t rows, std::size_t dim) {
    workloads::SystolicAttention attention;
    attention.cycles = rows * dim;
    return attention;
  };
  const study::SdpaSummary summary = study::reproduce_sdpa(options);
  EXPECT_EQ(summary.open, 0u);
  const auto& rows = summary.claims.back().rows;
  EXPECT_EQ(rows[5].item, "N=512 d=8: systolic, cycles");
  EXPECT_EQ(rows[5].ours, 512.0 * 8);
  std::filesystem::remove_all(directory);
}

TEST(SystolicAttention, computes_the_same_attention_as_double_precision_in_int8) {
  for (const char* preset : {"survey", "survey-64-64"}) {
    const auto result = study::systolic_attention(96, 32, 3, config::preset_machine(preset));
    EXPECT_GT(result.cycles, 2 * 96 * 96 * 32 / 256) << preset;
    EXPECT_LT(result.utilization, 1.0) << preset;
    EXPECT_LE(result.largest_relative_error, 1.0) << preset;
    EXPECT_GT(result.largest_error, 0.0) << preset;  // int8 is not exact
  }
}

TEST(SystolicAttention, rows_that_exceed_the_accumulator_go_through_memory) {
  const auto result = study::systolic_attention(528, 16, 3, config::preset_machine("survey"));
  EXPECT_EQ(result.intermediate_bytes, std::uint64_t{5} * 528 * 528);
  EXPECT_LE(result.largest_relative_error, 1.0);
}

TEST(SystolicAttention, a_machine_without_the_functions_is_refused) {
  EXPECT_THROW((void)study::systolic_attention(16, 16, 1, config::preset_machine("survey-baseline")), ConfigError);
}

}  // namespace
}  // namespace systole::test
