// Speed of the streaming engine. Targets on one core: graph A at N = 8,192 with values in 8 s, graph D bounded and
// unbounded in 30 s. For comparison: the authors of the DAM framework report 84 s and 12 to 13 min for theirs.
#include <benchmark/benchmark.h>

#include "sim/study/sdpa_run.h"
#include "workloads/streaming/attention.h"
#include "workloads/streaming/check.h"

extern "C" int sc_main(int, char**) { return 1; }

namespace {

using namespace systole;

hw::StreamGraph graph_of(workloads::AttentionGraph kind, std::uint64_t rows, std::size_t dim) {
  workloads::AttentionShape shape;
  shape.rows = rows;
  shape.dim = dim;
  hw::StreamGraph graph = workloads::attention_graph(kind, shape);
  workloads::check_stream_graph(graph, rows);
  return graph;
}

// Arguments: graph (0..3), N, d, also unbounded. A run in time needs a process of its own, whose CPU time is added.
void values_and_time(benchmark::State& state) {
  const auto kind = static_cast<workloads::AttentionGraph>(state.range(0));
  const auto rows = static_cast<std::uint64_t>(state.range(1));
  const auto dim = static_cast<std::size_t>(state.range(2));
  std::vector<hw::StreamGraph> graphs = {graph_of(kind, rows, dim)};
  if (state.range(3) != 0) graphs.push_back(study::without_bounds(graphs[0]));
  const workloads::AttentionData data = workloads::random_attention_data(rows, dim, 1);
  for (auto _ : state) {
    double seconds = -study::cpu_seconds();
    for (const hw::StreamGraph& graph : graphs) {
      seconds += study::time_in_child(graph).cpu_seconds;
      benchmark::DoNotOptimize(study::compute_values(graph, data));
    }
    state.SetIterationTime(seconds + study::cpu_seconds());
  }
  state.counters["elements/s"] =
      benchmark::Counter(static_cast<double>(rows) * static_cast<double>(rows) * static_cast<double>(graphs.size()),
                         benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(values_and_time)
    ->ArgNames({"graph", "N", "d", "unbounded"})
    ->Args({0, 2048, 64, 0})
    ->Args({0, 8192, 1, 0})
    ->Args({0, 8192, 64, 0})
    ->Args({3, 8192, 64, 1})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// Time alone. Arguments: graph, N, leaps, causal.
void time_alone(benchmark::State& state) {
  workloads::AttentionShape shape;
  shape.rows = static_cast<std::uint64_t>(state.range(1));
  shape.dim = 1;
  shape.causal = state.range(3) != 0;
  const hw::StreamGraph graph =
      workloads::attention_graph(static_cast<workloads::AttentionGraph>(state.range(0)), shape);
  hw::StreamOptions options;
  options.leaps = state.range(2) != 0;
  for (auto _ : state) state.SetIterationTime(study::time_in_child(graph, options).cpu_seconds);
}
BENCHMARK(time_alone)
    ->ArgNames({"graph", "N", "leaps", "causal"})
    ->Args({0, 1024, 0, 0})
    ->Args({0, 1024, 1, 0})
    ->Args({0, 32768, 1, 0})
    ->Args({3, 32768, 1, 0})
    ->Args({3, 8192, 1, 1})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
