#include "sim/study/sdpa_run.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "hw/stream/values.h"
#include "sim/base/errors.h"
#include "sim/base/process_pool.h"

namespace systole::study {

using hw::StreamGraph;

namespace {

std::map<std::string, hw::StreamTensor> tensors_of(const workloads::AttentionData& data) {
  return {{"q", {data.q.data(), data.rows}}, {"k", {data.k.data(), data.rows}}, {"v", {data.v.data(), data.rows}}};
}

StreamOutput collect(const StreamGraph& graph, const hw::StreamValues& values) {
  StreamOutput output;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (graph.nodes[n].function != hw::StreamFunction::kSink) continue;
    output.sinks[graph.nodes[n].name] = values.taken(n);
    output.elements[graph.nodes[n].name] = values.elements_taken(n);
  }
  output.buffer_bytes = values.buffer_bytes();
  return output;
}

// ---- the way back from a child process: numbers of 64 bits
std::string packed(const hw::StreamResult& result, double seconds) {
  std::vector<std::uint64_t> numbers = {result.cycles, result.wakeups, result.leaps, result.cycles_leapt,
                                        static_cast<std::uint64_t>(seconds * 1e6)};
  for (const auto& fifo : result.fifos) numbers.insert(numbers.end(), {fifo.depth, fifo.peak, fifo.elements});
  for (const auto& node : result.nodes) numbers.push_back(node.firings);
  std::string bytes(numbers.size() * sizeof(std::uint64_t), '\0');
  std::memcpy(bytes.data(), numbers.data(), bytes.size());
  return bytes;
}

StreamOutcome unpacked(const StreamGraph& graph, const std::string& bytes) {
  std::size_t at = 0;
  const auto number = [&] {
    std::uint64_t value = 0;
    SYSTOLE_CHECK(at + sizeof value <= bytes.size());
    std::memcpy(&value, bytes.data() + at, sizeof value);
    at += sizeof value;
    return value;
  };
  StreamOutcome outcome;
  outcome.finished = true;
  outcome.result.cycles = number();
  outcome.result.wakeups = number();
  outcome.result.leaps = number();
  outcome.result.cycles_leapt = number();
  outcome.cpu_seconds = static_cast<double>(number()) * 1e-6;
  for (const auto& fifo : graph.fifos) {
    const std::uint64_t depth = number();
    const std::uint64_t peak = number();
    outcome.result.fifos.push_back({fifo.name, depth, peak, number()});
  }
  for (const auto& node : graph.nodes) {
    const std::uint64_t firings = number();
    outcome.result.nodes.push_back({node.name, firings,
                                    static_cast<double>(firings) * static_cast<double>(node.interval) /
                                        static_cast<double>(outcome.result.cycles)});
  }
  return outcome;
}

}  // namespace

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

StreamGraph without_bounds(StreamGraph graph) {
  for (auto& fifo : graph.fifos) fifo.depth = hw::kUnbounded;
  return graph;
}

StreamGraph with_depth(StreamGraph graph, const std::string& name, std::uint64_t depth) {
  for (auto& fifo : graph.fifos) {
    if (fifo.name != name) continue;
    fifo.depth = depth;
    return graph;
  }
  SYSTOLE_CHECK(false);
  return graph;
}

std::vector<StreamOutcome> time_in_children(const std::vector<StreamGraph>& graphs, int jobs,
                                            const hw::StreamOptions& options) {
  SYSTOLE_CHECK(options.values == nullptr);
  std::vector<StreamOutcome> outcomes(graphs.size());
  const auto task = [&](std::size_t g) {
    const double before = cpu_seconds();
    hw::StreamEngine engine(graphs[g], options);
    const hw::StreamResult result = engine.run();
    return packed(result, cpu_seconds() - before);
  };
  run_tasks(graphs.size(), jobs, task, [&](std::size_t g, const TaskResult& result) {
    if (result.end == TaskEnd::kModelError) {
      outcomes[g].failure = result.text;
    } else {
      outcomes[g] = unpacked(graphs[g], text_or_throw(result));
    }
  });
  return outcomes;
}

StreamOutcome time_in_child(const StreamGraph& graph, const hw::StreamOptions& options) {
  return time_in_children({graph}, 1, options)[0];
}

StreamOutput compute_values(const StreamGraph& graph, const workloads::AttentionData& data,
                            const std::function<void(std::uint64_t)>& progress) {
  hw::StreamValues values(graph, tensors_of(data));
  values.compute(progress);
  return collect(graph, values);
}

std::pair<hw::StreamResult, StreamOutput> run_element_wise(const StreamGraph& graph,
                                                           const workloads::AttentionData& data,
                                                           hw::StreamOptions options) {
  hw::StreamValues values(graph, tensors_of(data));
  options.values = &values;
  hw::StreamEngine engine(graph, options);
  hw::StreamResult result = engine.run();
  return {std::move(result), collect(graph, values)};
}

SmallestDepths smallest_depths(const StreamGraph& start) {
  SmallestDepths answer;
  const StreamOutcome unbounded = time_in_child(without_bounds(start));
  if (!unbounded.finished)
    throw ConfigError("the graph does not finish with unbounded FIFOs either: " + unbounded.failure);
  answer.cycles = unbounded.result.cycles;
  ++answer.runs;

  StreamGraph graph = start;
  // A FIFO never needs more places than elements ever go through it.
  for (std::size_t f = 0; f < graph.fifos.size(); ++f) {
    graph.fifos[f].depth = std::min(
        graph.fifos[f].depth, std::max<std::uint64_t>(1, unbounded.result.fifos[f].elements + graph.fifos[f].initial));
  }
  const auto suffices = [&] {
    ++answer.runs;
    const StreamOutcome outcome = time_in_child(graph);
    return outcome.finished && outcome.result.cycles <= answer.cycles;
  };
  while (!suffices()) {
    for (std::size_t f = 0; f < graph.fifos.size(); ++f) {
      graph.fifos[f].depth =
          std::min(graph.fifos[f].depth * 2,
                   std::max<std::uint64_t>(1, unbounded.result.fifos[f].elements + graph.fifos[f].initial));
    }
  }
  std::vector<std::size_t> order(graph.fifos.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return graph.fifos[a].depth > graph.fifos[b].depth; });
  for (std::size_t f : order) {
    std::uint64_t enough = graph.fifos[f].depth;
    std::uint64_t smallest = std::max<std::uint64_t>(1, graph.fifos[f].initial);
    // More places never cost cycles, so the depths that suffice are all from some depth on.
    while (smallest < enough) {
      graph.fifos[f].depth = smallest + (enough - smallest) / 2;
      if (suffices()) {
        enough = graph.fifos[f].depth;
      } else {
        smallest = graph.fifos[f].depth + 1;
      }
    }
    graph.fifos[f].depth = enough;
  }
  for (const auto& fifo : graph.fifos) answer.depths.push_back(fifo.depth);
  return answer;
}

}  // namespace systole::study
