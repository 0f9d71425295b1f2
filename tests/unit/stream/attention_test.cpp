// Graphs A to D against the claims of Sohn, Zhang, Olukotun (arXiv 2404.16629), and their values against double
// precision.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/base/process_pool.h"
#include "tests/unit/stream/graphs.h"

namespace systole::test {
namespace {

using workloads::AttentionGraph;

constexpr Cycle kReduceLatency = 23;

TEST(StreamAttention, all_ways_agree) {
  for (const AttentionGraph kind : kAllAttention) {
    for (const bool causal : {false, true}) {
      for (const std::uint64_t rows : {1, 2, 3, 17, 64}) {
        SCOPED_TRACE(std::string(1, letter_of(kind)) + (causal ? " causal, rows " : ", rows ") + std::to_string(rows));
        const auto outcome = time_in_all_ways(attention(kind, rows, 4, causal));
        EXPECT_TRUE(outcome.finished) << outcome.failure;
      }
    }
  }
}

TEST(StreamAttention, leaps_change_nothing_at_the_sizes_of_the_paper) {
  for (const AttentionGraph kind : {AttentionGraph::kNaive, AttentionGraph::kMemoryFree}) {
    for (const bool unbounded : {false, true}) {
      hw::StreamGraph graph = attention(kind, 512);
      if (unbounded) graph = study::without_bounds(graph);
      hw::StreamOptions one_by_one;
      one_by_one.leaps = false;
      const auto leaping = study::time_in_child(graph);
      expect_equal(leaping, study::time_in_child(graph, one_by_one));
      EXPECT_GT(leaping.result.cycles_leapt, leaping.result.cycles * 9 / 10);
    }
  }
}

TEST(StreamAttention, bounded_fifos_cost_no_cycle) {
  for (const AttentionGraph kind : kAllAttention) {
    for (const std::uint64_t rows : {512, 2048, 8192, 32768}) {
      const hw::StreamGraph graph = attention(kind, rows);
      const auto bounded = time(graph);
      ASSERT_TRUE(bounded.finished) << bounded.failure;
      EXPECT_EQ(bounded.result.cycles, time(study::without_bounds(graph)).result.cycles)
          << letter_of(kind) << ' ' << rows;
    }
  }
}

TEST(StreamAttention, the_steady_state_takes_n_squared_times_the_largest_interval) {
  constexpr std::uint64_t kRows = 2048;
  constexpr Cycle kInterval = 2;
  for (const AttentionGraph kind : kAllAttention) {
    const Cycle cycles = time(attention(kind, kRows)).result.cycles;
    EXPECT_GT(cycles, kRows * kRows * kInterval);
    EXPECT_LT(cycles, (kRows + 3) * kRows *
                          kInterval);  // and up to two rows until the first maximum and the first sum are known
  }
}

TEST(StreamAttention, graph_d_needs_no_long_fifo) {
  for (const std::uint64_t rows : {128, 2048}) {
    const hw::StreamGraph graph = attention(AttentionGraph::kMemoryFree, rows);
    std::uint64_t largest = 0;
    for (std::size_t f = 0; f < graph.fifos.size(); ++f) {
      EXPECT_LE(graph.fifos[f].depth, 3u);
      // What the paper's artifact calls the size of a channel includes the producer's pipeline.
      largest = std::max(largest, graph.fifos[f].depth + graph.nodes[graph.producer(f)].latency - 1);
    }
    EXPECT_EQ(largest, 22u);
  }
}

// With every interval 1 the row sum comes kReduceLatency cycles after the last element of the row, while the bypass
// goes on filling.
TEST(StreamAttention, graph_a_of_interval_1_needs_a_row_and_the_reduce_latency_in_the_bypass) {
  constexpr std::uint64_t kRows = 128;
  hw::StreamGraph graph = attention(AttentionGraph::kNaive, kRows);
  for (auto& node : graph.nodes) node.interval = 1;
  const Cycle unbounded = time(study::without_bounds(graph)).result.cycles;
  EXPECT_EQ(time(study::with_depth(graph, "bypass", kRows + kReduceLatency + 1)).result.cycles, unbounded);
  EXPECT_GT(time(study::with_depth(graph, "bypass", kRows + kReduceLatency)).result.cycles, unbounded);
}

TEST(StreamAttention, values_agree_with_double_precision) {
  constexpr double kTolerance = 1e-4;
  for (const AttentionGraph kind : kAllAttention) {
    for (const bool causal : {false, true}) {
      for (const std::size_t dim : {1, 7, 64, 100}) {
        constexpr std::uint64_t kRows = 150;
        const auto data = workloads::random_attention_data(kRows, dim, 7 + dim);
        const auto output = study::compute_values(attention(kind, kRows, dim, causal), data);
        EXPECT_LT(
            workloads::largest_difference(output.sinks.at("output"), workloads::reference_attention(data, causal)),
            kTolerance)
            << letter_of(kind) << " dim " << dim << (causal ? " causal" : "");
      }
    }
  }
}

TEST(StreamAttention, blocks_and_single_elements_give_the_same_bits_and_cycles) {
  for (const AttentionGraph kind : kAllAttention) {
    for (const bool causal : {false, true}) {
      constexpr std::uint64_t kRows = 70;
      const hw::StreamGraph graph = attention(kind, kRows, 5, causal);
      const auto data = workloads::random_attention_data(kRows, 5, 3);
      const auto outcome = time(graph);
      const auto blocks = study::compute_values(graph, data);
      for (const hw::StreamOptions& way : all_ways()) {
        const auto compare = [&](std::size_t) -> std::string {
          const auto [result, output] = study::run_element_wise(graph, data, way);
          return result.cycles == outcome.result.cycles && output.sinks == blocks.sinks ? "equal" : "different";
        };
        run_tasks(1, 1, compare,
                  [&](std::size_t, const TaskResult& result) { EXPECT_EQ(result.text, "equal") << letter_of(kind); });
      }
    }
  }
}

TEST(StreamAttention, memory_of_the_values_does_not_follow_the_unbounded_fifos) {
  constexpr std::uint64_t kRows = 3000;
  const auto data = workloads::random_attention_data(kRows, 1, 1);
  const auto outcome = time(study::without_bounds(attention(AttentionGraph::kMemoryFree, kRows, 1)));
  EXPECT_GT(fifo(outcome, "e_sum").peak, kRows * kRows / 3);
  const auto output =
      study::compute_values(study::without_bounds(attention(AttentionGraph::kMemoryFree, kRows, 1)), data);
  EXPECT_LT(output.buffer_bytes, 1u << 20);
}

TEST(StreamAttention, graph_a_overflows_where_the_maximum_saves_the_others) {
  constexpr std::uint64_t kRows = 20;
  auto data = workloads::random_attention_data(kRows, 4, 1);
  for (float& q : data.q) q *= 200.0F;
  const auto reference = workloads::reference_attention(data, false);
  EXPECT_GT(workloads::largest_difference(
                study::compute_values(attention(AttentionGraph::kNaive, kRows), data).sinks.at("output"), reference),
            1.0);
  for (const AttentionGraph kind :
       {AttentionGraph::kRowMaximum, AttentionGraph::kReordered, AttentionGraph::kMemoryFree}) {
    EXPECT_LT(workloads::largest_difference(study::compute_values(attention(kind, kRows), data).sinks.at("output"),
                                            reference),
              1e-3);
  }
}

}  // namespace
}  // namespace systole::test
