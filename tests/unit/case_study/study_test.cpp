#include "sim/study/case_study.h"

#include <unistd.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "hw/params/host_costs.h"
#include "sim/base/errors.h"
#include "sim/base/file.h"
#include "sim/study/case_study_runs.h"

namespace systole::study {
namespace {

// Every number of tables 3, 10, 11, 12 and figures 4-6 is reproduced, or excluded by the paper's own other numbers.
TEST(WorkloadAnalysis, every_consistent_digit_of_the_transformers_is_reproduced) {
  const CaseStudy study = workload_analysis();
  std::size_t equal = 0;
  for (const CaseRow& row : study.rows) {
    if (row.item.rfind("table 4", 0) == 0 || row.item.rfind("section", 0) == 0) continue;
    EXPECT_NE(row.verdict, CaseVerdict::kDeviation) << row.item << ": " << row.paper << " / " << row.ours.value_or(0);
    equal += row.verdict == CaseVerdict::kEqual ? 1 : 0;
  }
  EXPECT_GE(equal, 270u);
  for (const CaseRow& row : study.rows) EXPECT_FALSE(row.cause.empty()) << row.item;
}

TEST(WorkloadAnalysis, figure_4_is_a_bert_large_with_one_projection_fewer) {
  std::size_t found = 0;
  for (const CaseRow& row : workload_analysis().rows) {
    if (row.item.rfind("figure 4: bert-large", 0) != 0 || row.verdict != CaseVerdict::kReading) continue;
    EXPECT_EQ(row.cause, "equal in every printed digit") << row.item;
    ++found;
  }
  EXPECT_EQ(found, 6u);
}

TEST(CaseStudyTable, commas_and_bars_are_escaped) {
  CaseStudy study{"E0", "t", "d", {compared("a, b|c", "2.0", 1.0, "why \"so\"")}};
  EXPECT_EQ(case_study_csv(study),
            "experiment,item,paper,ours,ratio,cause\nE0,\"a, b|c\",2.0,1,0.5000,\"why \"\"so\"\"\"\n");
  EXPECT_NE(case_study_markdown(study).find("| a, b\\|c | 2.0 | 1 | 0.5000 | deviation | why \"so\" |"),
            std::string::npos);
}

class RunsTest : public ::testing::Test {
 protected:
  RunsTest() {
    options_.directory =
        (std::filesystem::temp_directory_path() / ("systole_runs_" + std::to_string(::getpid()))).string();
  }
  ~RunsTest() override { std::filesystem::remove_all(options_.directory); }
  CaseOptions options_;
};

workloads::LayerProducts small() {
  workloads::LayerProducts layer;
  layer.rows = 16, layer.model = 32, layer.feed_forward = 64, layer.heads = 2;
  return layer;
}

TEST_F(RunsTest, a_finished_run_is_not_repeated) {
  options_.version = "v1";
  const std::vector<CaseRun> runs = {{"small", small(), config::preset_machine("survey-baseline")}};
  const CaseNumbers first = run_cases(runs, options_)[0];
  EXPECT_EQ(first.macs, 16u * 32 * 32 * 4 + 2u * 16 * 16 * 32 + 2u * 16 * 32 * 64);
  EXPECT_GT(first.cycles, first.macs / 256);
  // A file that says it is this run is believed.
  const std::string file = options_.directory + "/runs/small.json";
  std::string text = read_file(file);
  const std::string cycles = "\"cycles\": " + std::to_string(first.cycles);
  text.replace(text.find(cycles), cycles.size(), "\"cycles\": 7");
  write_atomically(file, text);
  EXPECT_EQ(run_cases(runs, options_)[0].cycles, 7u);
  options_.version = "v2";
  EXPECT_EQ(run_cases(runs, options_)[0].cycles, first.cycles);
  write_atomically(file, "{half");
  EXPECT_EQ(run_cases(runs, options_)[0].cycles, first.cycles);
}

TEST_F(RunsTest, a_machine_that_cannot_run_its_layer_is_named) {
  try {
    (void)run_cases({{"layer", bert_base_layer(16), config::preset_machine("survey-baseline")}}, options_);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_EQ(std::string(error.what()),
              "layer: the published layer needs softmax, LayerNorm and GELU: sfu.normaliser=1");
  }
}

TEST_F(RunsTest, an_interrupted_study_goes_on_where_it_stopped) {
  std::vector<CaseRun> runs;
  for (const int kib : {64, 128, 256}) {
    const auto machine = config::change_machine(config::preset_machine("survey-baseline"), {{"scratchpad.kib", std::to_string(kib), ""}});
    runs.push_back({"small-" + std::to_string(kib), small(), machine});
  }
  // Killed after the first run has been stored.
  options_.progress = [](const std::string&, std::size_t done, std::size_t) {
    if (done == 1) throw ConfigError("killed");
  };
  EXPECT_THROW((void)run_cases(runs, options_), ConfigError);
  std::vector<std::size_t> steps;
  options_.progress = [&](const std::string&, std::size_t done, std::size_t total) {
    EXPECT_EQ(total, 3u);
    steps.push_back(done);
  };
  EXPECT_EQ(run_cases(runs, options_).size(), 3u);
  EXPECT_GE(steps.at(0), 1u);  // what was there
  steps.clear();
  EXPECT_EQ(run_cases(runs, options_).size(), 3u);
  EXPECT_EQ(steps, (std::vector<std::size_t>{3}));
}

TEST_F(RunsTest, settings_change_every_machine) {
  const std::vector<CaseRun> runs = {{"small", small(), config::preset_machine("survey-baseline")}};
  const std::uint64_t cycles = run_cases(runs, options_)[0].cycles;
  options_.settings = {{"memory.latency", "200", "--set"}};
  EXPECT_GT(run_cases(runs, options_)[0].cycles, cycles);
}

TEST(NormalisedProduct, fused_and_separate_programs_leave_the_same_bytes) {
  const std::string directory = (std::filesystem::temp_directory_path() / ("systole_pairs_" + std::to_string(::getpid()))).string();
  CaseOptions options;
  options.directory = directory;
  for (const workloads::PairNorm norm : {workloads::PairNorm::kSoftmax, workloads::PairNorm::kLayerNorm}) {
    std::vector<CaseRun> runs;
    for (const bool fused : {false, true})
      runs.push_back({fused ? "fused" : "plain", workloads::NormalisedProduct{norm, 40, 100, 48, fused, true},
                      config::preset_machine("survey-256-256")});
    const std::vector<CaseNumbers> numbers = run_cases(runs, options);
    EXPECT_EQ(numbers[0].counters.at(kResultChecksum), numbers[1].counters.at(kResultChecksum));
    EXPECT_GT(numbers[0].cycles_of("norm"), 0u);
  }
  std::filesystem::remove_all(directory);
}

TEST(Products, the_cpu_takes_what_its_costs_say) {
  const std::string directory = (std::filesystem::temp_directory_path() / ("systole_cpu_" + std::to_string(::getpid()))).string();
  CaseOptions options;
  options.directory = directory;
  workloads::LayerProducts layer = small();
  layer.cpu = workloads::LayerProducts::Cpu::kNeeded;
  const CaseNumbers numbers = run_cases({{"cpu", layer, config::preset_machine("survey-baseline")}}, options)[0];
  const double softmax = hw::host_cycles(hw::HostKernel::kSoftmax, hw::HostCode::kLibm, hw::host_dram(30), 32, 32 * 16);
  EXPECT_NEAR(static_cast<double>(numbers.cycles_of("softmax")), softmax, 10);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace systole::study
