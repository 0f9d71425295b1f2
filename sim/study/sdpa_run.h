#pragma once
// Runs of streaming graphs: one in this process, or many, each in a process of its own (SystemC starts once per
// process).
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "hw/params/stream.h"
#include "hw/stream/engine.h"
#include "workloads/streaming/data.h"

namespace systole::study {

// Bounded as written, or with every FIFO unbounded.
[[nodiscard]] hw::StreamGraph without_bounds(hw::StreamGraph graph);
[[nodiscard]] hw::StreamGraph with_depth(hw::StreamGraph graph, const std::string& fifo, std::uint64_t depth);

struct StreamOutcome {
  bool finished = false;
  std::string failure;      // text of the ModelError (deadlock, cycle limit) when not finished
  hw::StreamResult result;  // when finished
  double cpu_seconds = 0;
};

// Time alone, in a child process. Errors other than a ModelError are thrown here.
[[nodiscard]] StreamOutcome time_in_child(const hw::StreamGraph& graph, const hw::StreamOptions& options = {});
// Several graphs, up to `jobs` at a time; outcomes in the order of the graphs.
[[nodiscard]] std::vector<StreamOutcome> time_in_children(const std::vector<hw::StreamGraph>& graphs, int jobs,
                                                          const hw::StreamOptions& options = {});

// The numbers of a graph that has been shown to finish: what each sink took, by the name of its node.
struct StreamOutput {
  std::map<std::string, std::vector<float>> sinks;
  std::map<std::string, std::uint64_t> elements;
  std::size_t buffer_bytes = 0;
};
// `progress` is told how many firings of all nodes are done.
[[nodiscard]] StreamOutput compute_values(const hw::StreamGraph& graph, const workloads::AttentionData& data,
                                          const std::function<void(std::uint64_t)>& progress = {});
// Time and values together, one event per element, in this process; once per process.
[[nodiscard]] std::pair<hw::StreamResult, StreamOutput> run_element_wise(const hw::StreamGraph& graph,
                                                                         const workloads::AttentionData& data,
                                                                         hw::StreamOptions options);

// Smallest depths with which `graph` needs no more cycles than with unbounded FIFOs. Depths are reduced one after the
// other, the largest first; each is the smallest that still suffices given the ones before and the starting depths of
// the ones after, so no single depth of the result can be reduced. Starts from the graph's depths, doubled until they
// suffice.
struct SmallestDepths {
  Cycle cycles = 0;                   // of the unbounded graph
  std::vector<std::uint64_t> depths;  // as graph.fifos
  std::uint64_t runs = 0;
};
[[nodiscard]] SmallestDepths smallest_depths(const hw::StreamGraph& graph);

[[nodiscard]] double cpu_seconds();

}  // namespace systole::study
