// Commands with a simulation, on small inputs.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/cli/command_line.h"

#if defined(__SANITIZE_ADDRESS__)
#define SYSTOLE_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SYSTOLE_ADDRESS_SANITIZER 1
#endif
#endif

namespace systole::test {
namespace {

using Json = nlohmann::json;

// A compute that takes its operand from the accumulator, which the machine cannot do.
constexpr const char* kTraceHead =
    "# systole-trace 1\n"
    "mem latency=20 beat_bytes=16\n";

std::uint64_t sum_of_states(const Json& unit) {
  std::uint64_t sum = unit.at("busy").get<std::uint64_t>() + unit.at("idle").get<std::uint64_t>();
  for (const auto& stall : unit.at("stall")) sum += stall.get<std::uint64_t>();
  return sum;
}

TEST(Run, json_accounts_for_every_cycle_and_value) {
  const TemporaryDirectory directory;
  const Outcome outcome = run({"run", directory.write("g.yaml", kGraph), "--json", "-"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const Json json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("schema"), "systole-run 1");
  EXPECT_EQ(json.at("checks").at("boundaries"), 3);
  EXPECT_EQ(json.at("checks").at("mismatches"), 0);
  EXPECT_EQ(json.at("macs"), 2 * 20 * 48 * 64);
  std::uint64_t cycles = 0;
  for (const Json& region : json.at("regions")) {
    cycles += region.at("cycles").get<std::uint64_t>();
    EXPECT_LE(region.at("utilization").get<double>(), 1.0) << region.at("name");
    for (const Json& unit : region.at("units")) EXPECT_EQ(sum_of_states(unit), region.at("cycles"));
  }
  EXPECT_EQ(cycles, json.at("cycles"));
  for (const Json& unit : json.at("units")) EXPECT_EQ(sum_of_states(unit), json.at("cycles"));
  EXPECT_GT(json.at("memory").at("read_bytes"), 0);
}

// Weights are held once, and of everything between two operations only what is alive: also by the reference and by the process that checks the
// boundaries which otherwise stay in the accumulator.
TEST(Run, memory_grows_with_the_layers_by_their_weights_alone) {
#ifdef SYSTOLE_ADDRESS_SANITIZER
  GTEST_SKIP() << "the address sanitizer keeps what was freed";
#endif
  const auto peak = [](const char* layers) {
    const Outcome outcome = run({"run", "bert-base", "--seq", "512", "--layers", layers, "--json", "-"});
    EXPECT_EQ(outcome.code, 0) << outcome.error;
    return Json::parse(outcome.out).at("simulator").at("peak_rss_bytes").get<double>();
  };
  constexpr double kWeights = 12.0 * 768 * 768;   // bytes of a layer
  constexpr double kSlack = 2;                    // biases, the program, what the allocator of the process keeps
  EXPECT_LT(peak("3") - peak("1"), 2 * kWeights * kSlack);
}

TEST(Run, a_model_is_timed_without_its_weights) {
  for (const std::vector<std::string>& model : {std::vector<std::string>{"gpt2", "--seq", "9", "--generate", "2", "--layers", "2", "--no-head"},
                                                {"transformer-base", "--seq", "20", "--layers", "1"},
                                                {"bert-base", "--seq", "20", "--layers", "1", "--set", "sfu.mvin_acc_scale=0"}}) {
    const auto result = [&](const char* option) {
      std::vector<std::string> words = {"run"};
      words.insert(words.end(), model.begin(), model.end());
      words.insert(words.end(), {option, "--json", "-"});
      const Outcome outcome = run(words);
      EXPECT_EQ(outcome.code, 0) << outcome.error;
      const Json json = Json::parse(outcome.out);
      return std::pair(json.at("units"), json.at("memory"));
    };
    EXPECT_EQ(result("--timing-only"), result("--no-check")) << model[0];
  }
}

TEST(Run, values_scheduler_and_checks_do_not_change_the_cycles) {
  const TemporaryDirectory directory;
  const std::string graph = directory.write("g.yaml", kGraph);
  const auto result = [&](const std::vector<std::string>& options) {
    std::vector<std::string> arguments = {"run", graph, "--json", "-"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.error;
    Json json = Json::parse(outcome.out);
    json.erase("simulator");
    json.erase("checks");
    json.erase("timing_only");
    return json;
  };
  const Json expected = result({});
  EXPECT_EQ(Json::diff(expected, result({"--timing-only"})), Json::array());
  EXPECT_EQ(Json::diff(expected, result({"--no-check"})), Json::array());
  EXPECT_EQ(Json::diff(expected, result({"--scheduler", "native"})), Json::array());
  EXPECT_EQ(Json::diff(expected, result({"--scheduler", "every-cycle"})), Json::array());
}

TEST(Run, search_is_at_least_as_fast_as_the_published_tiling) {
  for (const std::vector<std::string>& workload : {std::vector<std::string>{"gpt2", "--seq", "32"}, {"transformer-base", "--seq", "32"}}) {
    std::vector<std::string> arguments = {"run", "--layers", "1", "--tiler", "compare", "--timing-only", "--json", "-"};
    arguments.insert(arguments.begin() + 1, workload.begin(), workload.end());
    const Outcome outcome = run(arguments);
    ASSERT_EQ(outcome.code, 0) << outcome.error;
    const Json json = Json::parse(outcome.out);
    EXPECT_EQ(json.at("schema"), "systole-tilers 1");
    EXPECT_EQ(json.at("runs").at(0).at("tiler"), "gemmini");
    EXPECT_EQ(json.at("runs").at(1).at("tiler"), "search");
    EXPECT_EQ(json.at("runs").at(0).at("macs"), json.at("runs").at(1).at("macs"));
    EXPECT_LT(json.at("ratio").get<double>(), 0.95) << workload[0];
  }
}

TEST(Run, tilers_side_by_side_are_a_table_and_values_stay_equal) {
  const TemporaryDirectory directory;
  const Outcome outcome = run({"run", directory.write("g.yaml", kGraph), "--tiler", "compare"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_NE(outcome.out.find("gemmini  utilisation"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("values of both runs: equal"), std::string::npos) << outcome.out;
}

TEST(Run, quiet_prints_nothing_and_json_goes_to_a_file) {
  const TemporaryDirectory directory;
  const Outcome outcome = run({"run", directory.write("g.yaml", kGraph), "--quiet", "--json", directory.path("r.json")});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(Json::parse(read(directory.path("r.json"))).at("workload"), directory.path("g.yaml"));
}

TEST(Run, a_parameter_changes_the_cycles) {
  const TemporaryDirectory directory;
  const std::string graph = directory.write("g.yaml", kGraph);
  const auto cycles = [&](const std::string& setting) {
    return Json::parse(run({"run", graph, "--timing-only", "--json", "-", "--set", setting}).out).at("cycles").get<std::uint64_t>();
  };
  EXPECT_LT(cycles("memory.latency=20"), cycles("memory.latency=200"));
}

TEST(Run, a_cycle_limit_is_an_error_with_the_state_of_the_machine) {
  const TemporaryDirectory directory;
  const Outcome outcome = run({"run", directory.write("g.yaml", kGraph), "--max-cycles", "500"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_NE(outcome.error.find("cycle 500"), std::string::npos) << outcome.error;
}

TEST(Run, mistakes_in_a_graph_name_the_line) {
  const TemporaryDirectory directory;
  const std::string graph = directory.write("g.yaml", "graph: g\ninputs:\n  x: {rows: 4, cols: 4}\nnodes:\n  - {name: y, op: lineer, in: x, cols: 4}\n");
  const Outcome outcome = run({"run", graph});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.error.find(graph + ":5:"), std::string::npos) << outcome.error;
  EXPECT_NE(outcome.error.find("'linear'"), std::string::npos) << outcome.error;
}

TEST(Validate, stored_vectors_are_equal) {
  const Outcome outcome = run({"validate", SYSTOLE_TEST_DATA "/numerics/bert_tiny.safetensors", SYSTOLE_TEST_DATA "/numerics/xattn_odd.safetensors",
                               "--json", "-"});
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  const Json json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("files").at(0).at("boundaries"), 28);
  EXPECT_EQ(json.at("files").at(0).at("mismatches"), 0);
}

TEST(Validate, damaged_files_are_refused) {
  const TemporaryDirectory directory;
  const std::string good = read(SYSTOLE_TEST_DATA "/numerics/xattn_odd.safetensors");
  EXPECT_EQ(run({"validate", directory.write("short.safetensors", good.substr(0, good.size() - 5))}).code, 2);
  EXPECT_EQ(run({"validate", directory.write("empty.safetensors", "")}).code, 2);
  EXPECT_EQ(run({"validate", directory.write("text.safetensors", "{\"a\": 1}")}).code, 2);
}

TEST(Replay, writes_a_result_with_the_keys_of_an_expectation) {
  const TemporaryDirectory directory;
  const std::string trace = directory.write(
      "t.trace", std::string(kTraceHead) + "fill 80001000 256 int8 -128 127 1\ncmd 2 0000000080001000 0010001000000000\nfence\ncheck 80001000 256\n");
  EXPECT_EQ(run({"replay", trace}).code, 2) << "there is no expectation";
  const Outcome outcome = run({"replay", trace, "--no-expect", "--json-dir", directory.path("out")});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const std::string result = read(directory.path("out/t.json"));
  EXPECT_EQ(Json::parse(result).at("format"), "systole-expect 1");
  EXPECT_EQ(Json::parse(result).at("commands"), 1);

  directory.write("t.expect.json", result);
  EXPECT_EQ(run({"replay", trace}).code, 0);
  Json changed = Json::parse(result);
  changed["cycles"] = changed["cycles"].get<std::uint64_t>() + 1;
  directory.write("t.expect.json", changed.dump());
  const Outcome different = run({"replay", trace});
  EXPECT_EQ(different.code, 1);
  EXPECT_NE(different.error.find("cycles"), std::string::npos) << different.error;
  EXPECT_EQ(run({"replay", trace, "--set", "memory.latency=60", "--no-expect"}).code, 0);
}

TEST(Replay, a_program_that_misuses_the_machine_ends_with_cycle_and_instruction) {
  const TemporaryDirectory directory;
  // funct 99 does not exist.
  const std::string trace = directory.write("t.trace", std::string(kTraceHead) + "cmd 99 0000000000000000 0000000000000000\nfence\n");
  const Outcome outcome = run({"replay", trace, "--no-expect"});
  EXPECT_EQ(outcome.code, 3) << outcome.error;
  EXPECT_NE(outcome.error.find("cycle"), std::string::npos) << outcome.error;
}

TEST(Replay, malformed_traces_name_the_line) {
  const TemporaryDirectory directory;
  const std::string trace = directory.write("t.trace", std::string(kTraceHead) + "cmmd 2 0 0\nfence\n");
  const Outcome outcome = run({"replay", trace, "--no-expect"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.error.find(":3:"), std::string::npos) << outcome.error;
  const std::string machine = directory.write("u.trace", "# systole-trace 1\nmachine array.dimm=8\nmem latency=20 beat_bytes=16\nfence\n");
  EXPECT_NE(run({"replay", machine, "--no-expect"}).error.find("nearest: 'array.dim'"), std::string::npos);
}

TEST(Sweep, runs_every_point_and_reuses_it) {
  const TemporaryDirectory directory;
  const std::string graph = directory.write("g.yaml", kGraph);
  const std::string sweep =
      directory.write("s.yaml", "workloads: [\"" + graph + "\"]\ntiming_only: true\ngrid: {memory.latency: [20, 100], dma.max_in_flight: [8, 16]}\n");
  const Outcome first = run({"sweep", sweep, "--out", directory.path("out"), "--jobs", "2"});
  ASSERT_EQ(first.code, 0) << first.error;
  const std::string csv = read(directory.path("out/results.csv"));
  EXPECT_EQ(csv.rfind("memory.latency,dma.max_in_flight,workload,status,cycles,", 0), 0u) << csv;
  const Outcome second = run({"sweep", sweep, "--out", directory.path("out"), "--jobs", "1"});
  EXPECT_NE(second.out.find("4 points, 4 of them from an earlier run"), std::string::npos) << second.out;
  EXPECT_EQ(read(directory.path("out/results.csv")), csv);
}

}  // namespace
}  // namespace systole::test
