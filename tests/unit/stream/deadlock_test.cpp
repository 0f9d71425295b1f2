#include <gtest/gtest.h>

#include "tests/unit/stream/graphs.h"

namespace systole::test {
namespace {

using workloads::AttentionGraph;

void expect_text(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << part << "\nis not in\n" << text;
}

TEST(StreamDeadlock, a_bypass_shorter_than_a_row_names_the_full_fifo_the_starving_node_and_the_cycle) {
  constexpr std::uint64_t kRows = 64;
  const auto outcome =
      time_in_all_ways(study::with_depth(attention(AttentionGraph::kNaive, kRows), "bypass", kRows / 2));
  EXPECT_FALSE(outcome.finished);
  expect_text(outcome.failure, "deadlock: FIFO 'bypass' is full (32 of 32) and blocks node 'score'");
  expect_text(outcome.failure, "node 'divide' starves on the empty FIFO 'row_sum'");
  expect_text(outcome.failure, "node 'row_sum' starves on the empty FIFO 'sum_in'");
  expect_text(outcome.failure, "score -[bypass full]-> divide -[row_sum empty]-> row_sum -[sum_in empty]-> score");
  expect_text(outcome.failure, "cycle ");
}

// The last result of `fork` becomes ready after everything else has come to rest; only then is the reason complete.
TEST(StreamDeadlock, a_result_still_in_its_pipeline_does_not_hide_it) {
  const char* text = R"(
graph: late
nodes:
  - {name: source, type: source, function: constant, constant: 1, rows: 1, length: 6, out: in}
  - {name: fork, type: fork, rows: 1, length: 6, latency: 40, in: in, out: [row, bypass]}
  - {name: sum, type: reduce, function: sum, rows: 1, length: 6, in: row, out: sum}
  - {name: divide, type: zip, function: divide, rows: 1, length: 6, in: [bypass, {fifo: sum, each: row}], out: out}
  - {name: sink, type: sink, rows: 1, length: 6, in: out}
fifos: {bypass: 5}
)";
  const auto outcome = time_in_all_ways(parse(text, 6));
  EXPECT_FALSE(outcome.finished);
  expect_text(outcome.failure, "fork -[bypass full]-> divide -[sum empty]-> sum -[row empty]-> fork");
}

// The pipeline in front of the fork cannot help: what stands in it has reached neither branch.
TEST(StreamDeadlock, the_shortest_bypass_that_works_is_exactly_a_row) {
  constexpr std::uint64_t kRows = 64;
  const hw::StreamGraph graph = attention(AttentionGraph::kNaive, kRows);
  EXPECT_FALSE(time_in_all_ways(study::with_depth(graph, "bypass", kRows - 1)).finished);
  EXPECT_TRUE(time_in_all_ways(study::with_depth(graph, "bypass", kRows)).finished);
}

TEST(StreamDeadlock, the_long_fifos_of_b_and_c_deadlock_as_well) {
  constexpr std::uint64_t kRows = 64;
  for (const auto& [kind, name] :
       {std::pair{AttentionGraph::kRowMaximum, "max_bypass"}, std::pair{AttentionGraph::kRowMaximum, "bypass"},
        std::pair{AttentionGraph::kReordered, "max_bypass"}}) {
    const auto outcome = time_in_all_ways(study::with_depth(attention(kind, kRows), name, kRows - 1));
    EXPECT_FALSE(outcome.finished);
    expect_text(outcome.failure, std::string("FIFO '") + name + "' is full");
  }
}

TEST(StreamDeadlock, graph_d_runs_with_depth_1_everywhere) {
  hw::StreamGraph graph = attention(AttentionGraph::kMemoryFree, 64);
  for (auto& fifo : graph.fifos) fifo.depth = 1;
  EXPECT_TRUE(time_in_all_ways(graph).finished);
}

TEST(StreamDeadlock, an_element_of_a_loop_that_waits_for_itself_is_found) {
  // Reduce needs a whole row from a loop that holds one element.
  const char* text = R"(
graph: loop
nodes:
  - {name: source, type: source, function: constant, constant: 1, rows: 4, length: 8, out: in}
  - {name: add, type: zip, function: add, rows: 4, length: 8, in: [in, back], out: sums}
  - {name: reduce, type: reduce, function: sum, rows: 4, length: 8, in: sums, out: total}
  - {name: repeat, type: repeat, rows: 4, length: 8, in: total, out: [back, result]}
  - {name: sink, type: sink, rows: 4, length: 8, in: result}
fifos: {back: {depth: 20, initial: 3}}
)";
  const auto outcome = time_in_all_ways(parse(text, 4));
  EXPECT_FALSE(outcome.finished);
  expect_text(outcome.failure, "deadlock");
  expect_text(outcome.failure, "add -[back empty]-> repeat -[total empty]-> reduce -[sums empty]-> add");
}

}  // namespace
}  // namespace systole::test
