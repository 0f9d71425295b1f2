// systole stream and systole reproduce, as a user meets them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/command_line.h"

namespace systole::test {
namespace {

void expect_text(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << part << "\nis not in\n" << text;
}

nlohmann::json stream_json(std::vector<std::string> words) {
  words.insert(words.begin(), "stream");
  words.insert(words.end(), {"--json", "-"});
  const Outcome outcome = run(words);
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  return nlohmann::json::parse(outcome.out);
}

const nlohmann::json& fifo(const nlohmann::json& result, const std::string& name) {
  for (const auto& entry : result.at("fifos")) {
    if (entry.at("name") == name) return entry;
  }
  throw std::runtime_error("no FIFO " + name);
}

TEST(StreamCommand, prints_cycles_fifos_nodes_and_the_error_of_the_values) {
  const Outcome outcome = run({"stream", "A", "--rows", "64", "--dim", "8"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.error, "");
  expect_text(outcome.out, "graph A: 8,373 cycles");
  expect_text(outcome.out, "bypass");
  expect_text(outcome.out, "largest difference from double precision");
}

TEST(StreamCommand, json_has_the_promised_keys) {
  const auto result = stream_json({"A", "--rows", "512", "--dim", "4"});
  EXPECT_EQ(result.at("schema"), "systole-stream 1");
  EXPECT_EQ(result.at("graph"), "A");
  EXPECT_EQ(result.at("rows"), 512);
  EXPECT_EQ(result.at("cycles"), 525365);
  EXPECT_LT(result.at("max_abs_error").get<double>(), 1e-4);
  EXPECT_EQ(fifo(result, "bypass").at("depth"), 536);
  EXPECT_EQ(fifo(result, "bypass").at("peak"), 525);
}

TEST(StreamCommand, every_way_of_running_gives_the_same_result) {
  const auto first = stream_json({"D", "--rows", "40", "--dim", "4", "--causal"});
  for (const std::vector<std::string>& way :
       std::vector<std::vector<std::string>>{{"--scheduler", "native"},
                                             {"--scheduler", "every-cycle"},
                                             {"--element-wise"},
                                             {"--element-wise", "--scheduler", "native"}}) {
    std::vector<std::string> words = {"D", "--rows", "40", "--dim", "4", "--causal"};
    words.insert(words.end(), way.begin(), way.end());
    const auto other = stream_json(words);
    for (const char* key : {"cycles", "max_abs_error", "fifos", "nodes"})
      EXPECT_EQ(other.at(key), first.at(key)) << key << ' ' << way.front();
  }
  const auto timing_only = stream_json({"D", "--rows", "40", "--dim", "4", "--causal", "--timing-only"});
  EXPECT_EQ(timing_only.at("cycles"), first.at("cycles"));
  EXPECT_TRUE(timing_only.at("max_abs_error").is_null());
}

TEST(StreamCommand, unbounded_fifos_have_no_depth_and_cost_the_same_cycles) {
  const auto bounded = stream_json({"D", "--rows", "100", "--timing-only"});
  const auto unbounded = stream_json({"D", "--rows", "100", "--timing-only", "--unbounded"});
  EXPECT_EQ(bounded.at("cycles"), unbounded.at("cycles"));
  EXPECT_TRUE(fifo(unbounded, "scores").at("depth").is_null());
  EXPECT_GT(fifo(unbounded, "e_sum").at("peak").get<int>(), 1000);
}

TEST(StreamCommand, a_deadlock_ends_with_3_and_names_the_full_fifo_the_starving_node_and_the_cycle) {
  const Outcome outcome = run({"stream", "A", "--rows", "512", "--depth", "bypass=100"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.out, "");
  expect_text(outcome.error, "deadlock: FIFO 'bypass' is full (100 of 100) and blocks node 'score'");
  expect_text(outcome.error, "node 'row_sum' starves on the empty FIFO 'sum_in'");
  expect_text(outcome.error, "score -[bypass full]-> divide -[row_sum empty]-> row_sum -[sum_in empty]-> score");
}

TEST(StreamCommand, finds_the_smallest_depths) {
  const auto result = stream_json({"A", "--rows", "64", "--timing-only", "--min-depths"});
  EXPECT_EQ(fifo(result, "bypass").at("min_depth"), 64 + 12);
  EXPECT_EQ(result.at("unbounded_cycles"), result.at("cycles"));
}

TEST(StreamCommand, runs_a_graph_of_the_users) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("sums.yaml", R"(graph: sums
nodes:
  - {name: numbers, type: source, function: ramp, constant: 1, rows: 2, length: 3, out: x}
  - {name: sum, type: reduce, function: sum, rows: 2, length: 3, in: x, out: y}
  - {name: result, type: sink, rows: 2, length: 1, in: y}
)");
  const auto result = stream_json({path});
  EXPECT_EQ(result.at("graph"), "sums");
  EXPECT_EQ(result.at("sinks").at("result").at("first"), nlohmann::json({3.0, 12.0}));
}

TEST(StreamCommand, bad_input_ends_with_2_and_says_what_is_near) {
  const TemporaryDirectory directory;
  const std::string path = directory.write(
      "bad.yaml", "graph: g\nnodes:\n  - {name: s, type: source, function: ramp, constant: 1, out: x}\n");
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"stream"}, "is missing"},
      {{"stream", "E"}, "'E' is no graph: expected A, B, C, D or a .yaml file"},
      {{"stream", "none.yaml"}, "none.yaml"},
      {{"stream", path}, path + ":3:5: error: dangling port: node 's' puts into FIFO 'x'"},
      {{"stream", path, "--causal"}, "length: growing"},
      {{"stream", "A", "--depth", "bypas=3"}, "graph A has no FIFO 'bypas'; nearest: 'bypass'"},
      {{"stream", "A", "--depth", "bypass"}, "expected NAME=VALUE"},
      {{"stream", "A", "--depth", "bypass=0"}, "'0' is not a whole number in 1.."},
      {{"stream", "A", "--depth", "bypass=99999999999999999999"}, "is not a whole number"},
      {{"stream", "A", "--set", "row_sum.i=1"}, "graph A has no parameter 'row_sum.i'; nearest: 'row_sum.ii'"},
      {{"stream", "A", "--set", "row_sum.ii=0"}, "is not a whole number in 1.."},
      {{"stream", "A", "--rows", "0"}, "--rows: '0' is not a whole number in 1..1000000"},
      {{"stream", "A", "--rows", "-3"}, "--rows"},
      {{"stream", "A", "--dim", "x"}, "--dim: 'x'"},
      {{"stream", "A", "--input", "none.safetensors"}, "none.safetensors"},
      {{"stream", "A", "--scheduler", "fats"}, "nearest: 'fast'"},
      {{"stream", "A", "--unbound"}, "unknown option '--unbound'"},
      {{"reproduce", "sdpa"}, "--out DIR is missing"},
      {{"reproduce", "sdap", "--out", directory.path("out")}, "nearest: 'sdpa'"},
      {{"reproduce", "sdpa", "--out", "/proc/none"}, "/proc/none"},
      {{"reproduce", "E33", "--out", directory.path("out")}, "nearest: 'E3'"},
      {{"reproduce", "E5", "--quick", "--set", "accumulator.kib=16", "--out", directory.path("out")}, "needs 512 accumulator"},
      {{"reproduce", "E4", "--quick", "--set", "sfu.normaliser=0", "--out", directory.path("out")}, "sfu.normaliser=1"},
      {{"reproduce", "E3", "--set", "scratchpad.kb=16", "--out", directory.path("out")}, "nearest: 'scratchpad.kib'"},
  };
  for (const auto& [words, message] : cases) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, 2) << message;
    EXPECT_EQ(outcome.out, "");
    expect_text(outcome.error, message);
  }
}

TEST(StreamCommand, values_beyond_the_tolerance_end_with_1) {
  // q, k, v of one row of one number; e^(q k) overflows in graph A, which subtracts no maximum.
  const TemporaryDirectory directory;
  std::string header =
      R"({"q":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},"k":{"dtype":"F32","shape":[1,1],"data_offsets":[4,8]},)"
      R"("v":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const float numbers[] = {100.0F, 100.0F, 1.0F};
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  bytes[1] = static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(numbers), sizeof numbers);
  const std::string path = directory.write("large.safetensors", bytes);
  const Outcome naive = run({"stream", "A", "--input", path});
  EXPECT_EQ(naive.code, 1) << naive.error;
  expect_text(naive.out, "ABOVE");
  EXPECT_EQ(run({"stream", "D", "--input", path}).code, 0);
  EXPECT_EQ(run({"stream", "A", "--input", path, "--rows", "2"}).code, 2);
}

}  // namespace
}  // namespace systole::test
