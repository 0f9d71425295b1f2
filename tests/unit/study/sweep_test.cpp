#include "sim/study/sweep.h"

#include <unistd.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "sim/base/errors.h"
#include "sim/base/file.h"

namespace systole::study {
namespace {

class SweepTest : public ::testing::Test {
 protected:
  SweepTest() : directory_((std::filesystem::temp_directory_path() / ("systole_sweep_" + std::to_string(::getpid()))).string()) {}
  ~SweepTest() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
};

std::string error_of(const std::string& text) {
  try {
    (void)parse_sweep(text, "s.yaml");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return {};
}

constexpr const char* kGrid =
    "machine: survey-baseline\n"
    "workloads: [{name: bert-base, seq: 128, layers: 1}, gpt2]\n"
    "timing_only: true\n"
    "grid: {scratchpad.kib: [64, 128], accumulator.kib: [64, 128, 256]}\n";

TEST_F(SweepTest, a_grid_is_every_combination_of_every_workload) {
  const Sweep sweep = parse_sweep(kGrid, "s.yaml");
  EXPECT_TRUE(sweep.timing_only);
  EXPECT_EQ(sweep.keys, (std::vector<std::string>{"scratchpad.kib", "accumulator.kib"}));
  ASSERT_EQ(sweep.points.size(), 12u);
  EXPECT_EQ(sweep.points[1].machine.params.scratchpad.kib, 64);
  EXPECT_EQ(sweep.points[1].machine.params.accumulator.kib, 128);
  EXPECT_EQ(sweep.points[1].machine.params.sfu.normaliser, 0);
  EXPECT_EQ(sweep.points[5].workload.seq, 128u);
  EXPECT_EQ(sweep.points[6].workload.name, "gpt2");
}

TEST_F(SweepTest, the_command_line_changes_the_machine_of_all_points) {
  const std::string text = "machine: survey-baseline\nworkloads: [bert-base]\ngrid: {scratchpad.kib: [64, 128]}\n";
  const Sweep sweep = parse_sweep(text, "s.yaml", {"survey", {"dma.max_in_flight=32", "scratchpad.kib=512"}});
  ASSERT_EQ(sweep.points.size(), 2u);
  for (const SweepPoint& point : sweep.points) {
    EXPECT_EQ(point.machine.preset, "survey");
    EXPECT_EQ(point.machine.params.dma.max_in_flight, 32);
  }
  EXPECT_EQ(sweep.points[1].machine.params.scratchpad.kib, 128);   // the point's own word is the last
  EXPECT_THROW((void)parse_sweep(text, "s.yaml", {"surve", {}}), ConfigError);
  EXPECT_THROW((void)parse_sweep(text, "s.yaml", {"", {"dma.max_in_flite=32"}}), ConfigError);
}

TEST_F(SweepTest, a_list_names_its_points) {
  const Sweep sweep = parse_sweep("workloads: [bert-base]\nlist:\n  - {array.dim: 8}\n  - {array.dim: 32, queue.load: 4}\n", "s.yaml");
  ASSERT_EQ(sweep.points.size(), 2u);
  EXPECT_EQ(sweep.points[1].machine.params.queue.load, 4);
  EXPECT_EQ(sweep.points[0].machine.preset, "survey");
}

TEST_F(SweepTest, mistakes_are_found_before_anything_runs) {
  EXPECT_EQ(error_of("workload: [bert-base]\n"), "s.yaml:1:1: error: unknown key 'workload' of a sweep; nearest: 'workloads'");
  EXPECT_EQ(error_of("grid: {}\n"), "s.yaml:1:1: error: key 'workloads' is missing");
  EXPECT_EQ(error_of("workloads: [a]\ngrid: {scratchpad.kb: [1]}\n"), "s.yaml:2:8: error: unknown key 'scratchpad.kb'; nearest: 'scratchpad.kib'");
  EXPECT_EQ(error_of("workloads: [a]\ngrid: {array.dim: [16, 17]}\n"),
            "s.yaml:2:24: error: array.dim = 17 is out of range; legal: 4..128, power of two (rows = columns of the array)");
  EXPECT_EQ(error_of("workloads: [a]\ngrid: {array.dim: []}\n"), "s.yaml:2:19: error: 'array.dim' has no values");
  EXPECT_EQ(error_of("workloads: [a]\nlist: []\n"), "s.yaml:2:7: error: the list has no points");
  EXPECT_EQ(error_of("workloads: [a]\nlist: []\ngrid: {}\n"), "s.yaml:2:7: error: a sweep has a grid or a list, not both");
  EXPECT_EQ(error_of("workloads: []\n"), "s.yaml:1:12: error: no workload");
  EXPECT_EQ(error_of("machine: surfey\nworkloads: [a]\n").find("s.yaml:1:10: error: machine 'surfey' is neither a preset nor a file"), 0u);
  EXPECT_EQ(error_of("workloads: [{name: a, seq: 0}]\n"), "s.yaml:1:28: error: seq = 0 is outside of 1..2147483647");
}

// Cycles that say which point ran.
PointResult fake(const SweepPoint& point) {
  if (point.machine.params.accumulator.kib == 256) throw ConfigError("does not fit, \"really\"");
  PointResult result;
  result.cycles = static_cast<std::uint64_t>(point.machine.params.scratchpad.kib * 1000 + point.machine.params.accumulator.kib);
  result.utilization = 0.5;
  return result;
}

TEST_F(SweepTest, results_are_in_order_and_refused_points_say_why) {
  const Sweep sweep = parse_sweep("workloads: [bert-base]\ngrid: {scratchpad.kib: [64, 128], accumulator.kib: [64, 256]}\n", "s.yaml");
  std::size_t last = 0;
  const SweepOutcome outcome = run_sweep(sweep, {directory_, 3, "v1"}, fake, [&](std::size_t done) { last = done; });
  EXPECT_EQ(last, 4u);
  EXPECT_EQ(outcome.reused, 0u);
  EXPECT_EQ(outcome.results[2].cycles, 128064u);
  EXPECT_EQ(outcome.results[3].status, "refused: does not fit, \"really\"");
  EXPECT_EQ(read_file(directory_ + "/results.csv"),
            "scratchpad.kib,accumulator.kib,workload,status,cycles,utilization,energy_pj,cpu_seconds,seq,layers,batch,generate,tiler\n"
            "64,64,bert-base,ok,64064,0.500000,,0.000,0,0,1,0,search\n"
            "64,256,bert-base,\"refused: does not fit, \"\"really\"\"\",,,,,0,0,1,0,search\n"
            "128,64,bert-base,ok,128064,0.500000,,0.000,0,0,1,0,search\n"
            "128,256,bert-base,\"refused: does not fit, \"\"really\"\"\",,,,,0,0,1,0,search\n");
}

TEST_F(SweepTest, a_second_run_reuses_what_is_done_and_still_valid) {
  const Sweep sweep = parse_sweep("workloads: [bert-base]\ngrid: {scratchpad.kib: [64, 128]}\n", "s.yaml");
  const auto nothing = [](std::size_t) {};
  (void)run_sweep(sweep, {directory_, 1, "v1"}, fake, nothing);
  EXPECT_EQ(run_sweep(sweep, {directory_, 1, "v1"}, fake, nothing).reused, 2u);
  EXPECT_EQ(run_sweep(sweep, {directory_, 1, "v2"}, fake, nothing).reused, 0u);
  write_atomically(directory_ + "/points/00001.json", "{half");
  const SweepOutcome again = run_sweep(sweep, {directory_, 1, "v2"}, fake, nothing);
  EXPECT_EQ(again.reused, 1u);
  EXPECT_EQ(again.results[1].cycles, 128064u);
}

}  // namespace
}  // namespace systole::study
