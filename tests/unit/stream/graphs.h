#pragma once
// Small graphs and comparisons that several tests of the streaming engine share.
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "hw/params/stream.h"
#include "sim/study/sdpa_run.h"
#include "workloads/streaming/attention.h"
#include "workloads/streaming/check.h"
#include "workloads/streaming/graph_yaml.h"

namespace systole::test {

inline hw::StreamGraph parse(const std::string& text, std::uint64_t rows, std::size_t dim = 4) {
  return workloads::parse_stream_graph(text, "graph.yaml", rows, dim);
}

inline hw::StreamGraph attention(workloads::AttentionGraph kind, std::uint64_t rows, std::size_t dim = 4,
                                 bool causal = false) {
  workloads::AttentionShape shape;
  shape.rows = rows;
  shape.dim = dim;
  shape.causal = causal;
  hw::StreamGraph graph = workloads::attention_graph(kind, shape);
  workloads::check_stream_graph(graph, rows);
  return graph;
}

inline constexpr workloads::AttentionGraph kAllAttention[] = {
    workloads::AttentionGraph::kNaive, workloads::AttentionGraph::kRowMaximum, workloads::AttentionGraph::kReordered,
    workloads::AttentionGraph::kMemoryFree};

inline study::StreamOutcome time(const hw::StreamGraph& graph) { return study::time_in_child(graph); }

// The ways to run a graph that must agree in everything: leaps, one event per element on the wheel, one SystemC process
// per node, every node in every cycle.
inline std::vector<hw::StreamOptions> all_ways() {
  std::vector<hw::StreamOptions> ways(4);
  ways[1].leaps = false;
  ways[2].scheduler = SchedulerMode::kNative;
  ways[3].scheduler = SchedulerMode::kEveryCycle;
  return ways;
}

inline void expect_equal(const study::StreamOutcome& a, const study::StreamOutcome& b) {
  EXPECT_EQ(a.finished, b.finished);
  EXPECT_EQ(a.failure, b.failure);
  EXPECT_EQ(a.result.cycles, b.result.cycles);
  ASSERT_EQ(a.result.fifos.size(), b.result.fifos.size());
  for (std::size_t f = 0; f < a.result.fifos.size(); ++f) {
    EXPECT_EQ(a.result.fifos[f].peak, b.result.fifos[f].peak) << a.result.fifos[f].name;
    EXPECT_EQ(a.result.fifos[f].elements, b.result.fifos[f].elements) << a.result.fifos[f].name;
  }
  ASSERT_EQ(a.result.nodes.size(), b.result.nodes.size());
  for (std::size_t n = 0; n < a.result.nodes.size(); ++n)
    EXPECT_EQ(a.result.nodes[n].firings, b.result.nodes[n].firings) << a.result.nodes[n].name;
}

// Runs `graph` in all ways and expects one outcome, which is returned.
inline study::StreamOutcome time_in_all_ways(const hw::StreamGraph& graph) {
  const std::vector<hw::StreamOptions> ways = all_ways();
  const study::StreamOutcome first = study::time_in_child(graph, ways[0]);
  for (std::size_t w = 1; w < ways.size(); ++w) {
    SCOPED_TRACE("way " + std::to_string(w));
    expect_equal(study::time_in_child(graph, ways[w]), first);
  }
  return first;
}

inline const hw::StreamFifoResult& fifo(const study::StreamOutcome& outcome, const std::string& name) {
  for (const auto& result : outcome.result.fifos) {
    if (result.name == name) return result;
  }
  ADD_FAILURE() << "no FIFO " << name;
  return outcome.result.fifos.front();
}

}  // namespace systole::test
