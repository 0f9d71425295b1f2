#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "sim/base/file.h"
#include "sim/study/sdpa.h"

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
  EXPECT_EQ(summary.open, 3u);                            // the systolic machine

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
  EXPECT_EQ(rows[4].item, "N=512 d=8: systolic, cycles");
  EXPECT_EQ(rows[4].ours, 512.0 * 8);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace systole::test
