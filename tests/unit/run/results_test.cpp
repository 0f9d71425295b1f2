#include "sim/run/results.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/base/errors.h"
#include "sim/report/run_report.h"

namespace systole::run {
namespace {

hw::UnitAccount account(const std::string& unit, std::uint64_t busy, std::uint64_t idle, std::uint64_t conflict, std::uint64_t empty) {
  return {unit, {{"idle", false, idle}, {"busy", false, busy}, {"scratchpad_conflict", true, conflict}, {"operands_late", true, empty}}};
}

// Two layers of two regions; every unit's states close.
Results example() {
  Results r;
  r.workload = "bert-base";
  r.seq = 128;
  r.layers = 2;
  r.seed = 1;
  r.machine = config::preset_machine("survey");
  r.cycles = 1000;
  r.macs = 128000;
  r.commands = 12;
  r.regions = {{"layer.0/scores", 300, 64000, {account("execute", 250, 0, 50, 0)}},
               {"layer.0/softmax", 200, 0, {account("execute", 0, 100, 0, 100)}},
               {"layer.1/scores", 300, 64000, {account("execute", 250, 0, 50, 0)}},
               {"layer.1/softmax", 200, 0, {account("execute", 0, 100, 0, 100)}}};
  r.accounts = {account("execute", 500, 200, 100, 200)};
  r.memory = {4096, 1024, 80};
  r.checks = CheckResult{24, 98304, 0, "", CheckResult::Float{0.9998, 33.2, 0.05, 0.9995, 31}};
  r.performance = {{}, 0.5, 0.6, 64u << 20, 1234, "fast"};
  return r;
}

TEST(Results, accounting_closes_or_is_an_internal_error) {
  Results r = example();
  EXPECT_NO_THROW(check_accounting(r));
  r.accounts[0].states[0].cycles += 1;
  EXPECT_THROW(check_accounting(r), InternalError);
  r = example();
  r.regions[1].accounts[0].states[1].cycles += 1;
  EXPECT_THROW(check_accounting(r), InternalError);
  r = example();
  r.regions.pop_back();
  EXPECT_THROW(check_accounting(r), InternalError);
}

TEST(Results, regions_merge_by_name_and_over_layers) {
  const Results r = example();
  EXPECT_EQ(merged_regions(r.regions, false).size(), 4u);
  const auto merged = merged_regions(r.regions, true);
  ASSERT_EQ(merged.size(), 2u);
  EXPECT_EQ(merged[0].name, "layer.*/scores");
  EXPECT_EQ(merged[0].cycles, 600u);
  EXPECT_EQ(merged[0].macs, 128000u);
  EXPECT_EQ(merged[0].accounts[0].states[2].cycles, 100u);
}

TEST(Results, the_largest_stall_is_what_the_array_waits_for) {
  const hw::UnitAccount reader{"dma_reader", {{"idle", false, 10}, {"busy", false, 10}, {"no_transaction_id", true, 80}}};
  const hw::UnitAccount station{"reservation_station", {{"idle", false, 0}, {"busy", false, 1}, {"queue_full", true, 99}}};
  const LargestStall own = largest_stall({station, account("execute", 60, 10, 5, 25), reader});
  EXPECT_EQ(own.unit + " " + own.state + " " + std::to_string(own.cycles), "execute operands_late 25");
  const LargestStall starved = largest_stall({station, account("execute", 20, 75, 5, 0), reader});
  EXPECT_EQ(starved.unit + " " + starved.state + " " + std::to_string(starved.cycles), "dma_reader no_transaction_id 80");
  EXPECT_EQ(largest_stall({account("execute", 100, 0, 0, 0)}).cycles, 0u);
}

TEST(Results, checks_pass_only_when_equal_and_close_to_float) {
  CheckResult checks = *example().checks;
  EXPECT_TRUE(checks.passed());
  checks.against_float->sqnr_db = 30.9;
  EXPECT_FALSE(checks.passed());
  checks.against_float.reset();
  EXPECT_TRUE(checks.passed());
  checks.mismatches = 1;
  EXPECT_FALSE(checks.passed());
}

TEST(RunReport, text_names_regions_stalls_and_checks) {
  const std::string text = report::run_text(example());
  EXPECT_NE(text.find("1,000 cycles, 128,000 multiply-accumulates, array utilisation 50.0 %"), std::string::npos) << text;
  EXPECT_NE(text.find("layer.*/scores      600   60.0 %  128,000       83.3 %  execute: scratchpad_conflict     100"), std::string::npos) << text;
  EXPECT_NE(text.find("execute  50.0 %   30.0 %  20.0 %  operands_late 20.0 %, scratchpad_conflict 10.0 %"), std::string::npos) << text;
  EXPECT_NE(text.find("24 tensors (98,304 elements) equal"), std::string::npos) << text;
  EXPECT_NE(report::run_text(example(), {true}).find("layer.1/softmax"), std::string::npos);
}

TEST(RunReport, json_has_the_fixed_keys_and_its_sums_close) {
  const auto json = nlohmann::json::parse(report::run_json(example(), "1.2.3"));
  EXPECT_EQ(json.at("schema"), "systole-run 1");
  EXPECT_EQ(json.at("version"), "1.2.3");
  EXPECT_EQ(json.at("workload"), "bert-base");
  EXPECT_EQ(json.at("machine").at("preset"), "survey");
  EXPECT_EQ(json.at("machine").at("parameters").at("array.dim"), 16);
  EXPECT_EQ(json.at("machine").at("parameters").at("memory.model"), "ideal");
  EXPECT_DOUBLE_EQ(json.at("utilization"), 0.5);
  const auto& unit = json.at("units").at("execute");
  std::uint64_t sum = unit.at("busy").get<std::uint64_t>() + unit.at("idle").get<std::uint64_t>();
  for (const auto& stall : unit.at("stall")) sum += stall.get<std::uint64_t>();
  EXPECT_EQ(sum, json.at("cycles"));
  std::uint64_t cycles = 0;
  for (const auto& region : json.at("regions")) cycles += region.at("cycles").get<std::uint64_t>();
  EXPECT_EQ(cycles, json.at("cycles"));
  EXPECT_EQ(json.at("memory").at("read_bytes"), 4096);
  EXPECT_EQ(json.at("checks").at("boundaries"), 24);
  EXPECT_EQ(json.at("checks").at("mismatches"), 0);
  EXPECT_DOUBLE_EQ(json.at("checks").at("sqnr_db"), 33.2);
  EXPECT_EQ(json.at("simulator").at("scheduler"), "fast");
}

// Scripts find the key in every run.
TEST(RunReport, json_of_a_run_without_comparison_says_that_nothing_was_compared) {
  Results r = example();
  r.checks.reset();
  const auto checks = nlohmann::json::parse(report::run_json(r, "1")).at("checks");
  EXPECT_EQ(checks.at("boundaries"), 0);
  EXPECT_EQ(checks.at("mismatches"), 0);
  EXPECT_TRUE(checks.at("sqnr_db").is_null());
  EXPECT_FALSE(checks.contains("passed"));
}

}  // namespace
}  // namespace systole::run
