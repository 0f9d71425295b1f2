#include <gtest/gtest.h>

#include "tests/unit/stream/graphs.h"

namespace systole::test {
namespace {

using workloads::AttentionGraph;

TEST(SmallestDepths, cost_no_cycle_and_none_can_be_reduced) {
  for (const AttentionGraph kind : kAllAttention) {
    hw::StreamGraph graph = attention(kind, 48);
    const auto smallest = study::smallest_depths(graph);
    for (std::size_t f = 0; f < graph.fifos.size(); ++f) graph.fifos[f].depth = smallest.depths[f];
    EXPECT_EQ(time(graph).result.cycles, smallest.cycles);
    for (auto& fifo : graph.fifos) {
      if (fifo.depth == 1) continue;
      --fifo.depth;
      const auto shorter = time(graph);
      EXPECT_TRUE(!shorter.finished || shorter.result.cycles > smallest.cycles) << letter_of(kind) << ' ' << fifo.name;
      ++fifo.depth;
    }
  }
}

TEST(SmallestDepths, the_bypass_of_a_grows_with_n_and_nothing_in_d_does) {
  const auto depths = [](AttentionGraph kind, std::uint64_t rows) {
    return study::smallest_depths(attention(kind, rows)).depths;
  };
  EXPECT_EQ(depths(AttentionGraph::kMemoryFree, 40), depths(AttentionGraph::kMemoryFree, 640));
  const auto small = depths(AttentionGraph::kNaive, 40);
  const auto large = depths(AttentionGraph::kNaive, 640);
  const hw::StreamGraph graph = attention(AttentionGraph::kNaive, 40);
  for (std::size_t f = 0; f < small.size(); ++f)
    EXPECT_EQ(large[f] - small[f], graph.fifos[f].name == "bypass" ? 600u : 0u) << graph.fifos[f].name;
}

TEST(SmallestDepths, are_found_from_depths_that_are_too_small) {
  hw::StreamGraph graph = attention(AttentionGraph::kNaive, 48);
  for (auto& fifo : graph.fifos) fifo.depth = 1;  // deadlocks
  const auto smallest = study::smallest_depths(graph);
  for (std::size_t f = 0; f < graph.fifos.size(); ++f) graph.fifos[f].depth = smallest.depths[f];
  EXPECT_EQ(time(graph).result.cycles, smallest.cycles);
}

}  // namespace
}  // namespace systole::test
