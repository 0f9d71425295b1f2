#include "workloads/streaming/check.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "sim/base/errors.h"

namespace systole::workloads {

using hw::StreamFifoSpec;
using hw::StreamGraph;
using hw::StreamNodeSpec;
using hw::StreamRate;
using hw::StreamType;

namespace {

[[noreturn]] void fail(const StreamGraph& graph, const std::string& where, const std::string& what) {
  if (where.empty()) throw ConfigError(fmt::format("graph {}: {}", graph.name, what));
  throw ConfigError(fmt::format("{}: error: {}", where, what));
}

const char* name_of(StreamType type) {
  switch (type) {
    case StreamType::kScalar:
      return "a scalar";
    case StreamType::kVector:
      return "a vector";
    case StreamType::kAny:
      return "unknown";
  }
  return "";
}

void check_nodes(const StreamGraph& graph, std::uint64_t data_rows) {
  if (graph.nodes.empty()) fail(graph, "", "the graph has no nodes");
  if (graph.nodes.size() > hw::kMaxStreamNodes) {
    fail(graph, graph.nodes[hw::kMaxStreamNodes].where,
         fmt::format("{} nodes; a graph has at most {}", graph.nodes.size(), hw::kMaxStreamNodes));
  }
  std::set<std::string> names;
  for (const StreamNodeSpec& node : graph.nodes) {
    const auto fault = [&](const std::string& what) {
      fail(graph, node.where, fmt::format("node '{}': {}", node.name, what));
    };
    if (!names.insert(node.name).second) fault("a second node of this name");
    const hw::StreamFunctionInfo& info = hw::info_of(node.function);
    const std::size_t operands = std::char_traits<char>::length(info.inputs);
    const std::size_t results = std::char_traits<char>::length(info.outputs);
    if (node.inputs.size() != operands)
      fault(fmt::format("{} inputs; '{}' takes {}", node.inputs.size(), info.name, operands));
    if (node.outputs.size() != results)
      fault(fmt::format("{} outputs; '{}' gives {}", node.outputs.size(), info.name, results));
    for (const auto& output : node.outputs) {
      if (output.fifos.empty()) fault("dangling port: an output leads nowhere");
    }
    if (node.latency < 1 || node.latency > hw::kMaxStreamLatency)
      fault(fmt::format("latency {} is not in 1..{}", node.latency, hw::kMaxStreamLatency));
    if (node.interval < 1 || node.interval > hw::kMaxStreamLatency)
      fault(fmt::format("ii {} is not in 1..{}", node.interval, hw::kMaxStreamLatency));
    const std::uint64_t longest = node.rows.growing ? node.rows.rows : node.rows.length;
    if (node.rows.rows < 1 || longest < 1) fault("no firings: rows and length are at least 1");
    if (node.rows.rows > hw::kMaxStreamFirings / longest)
      fault(fmt::format("{} rows of {} are too many firings", node.rows.rows, longest));
    if (node.function == hw::StreamFunction::kSourceRows || node.function == hw::StreamFunction::kSourceColumns) {
      if (node.data != "q" && node.data != "k" && node.data != "v")
        fault(fmt::format("data '{}' is not one of q, k, v", node.data));
      const std::uint64_t needed = node.function == hw::StreamFunction::kSourceRows ? node.rows.rows : longest;
      if (needed > data_rows) fault(fmt::format("reads {} rows of '{}', which has {}", needed, node.data, data_rows));
    }
  }
}

// "; nearest: 'x'" for a FIFO that is probably a misspelt other one.
std::string hint(const StreamGraph& graph, std::size_t fifo) {
  std::vector<std::string> others;
  for (std::size_t f = 0; f < graph.fifos.size(); ++f) {
    if (f != fifo) others.push_back(graph.fifos[f].name);
  }
  return others.empty() ? "" : fmt::format("; nearest: '{}'", nearest(graph.fifos[fifo].name, others));
}

void check_fifos(const StreamGraph& graph) {
  std::vector<std::size_t> producers(graph.fifos.size(), 0);
  std::vector<std::size_t> consumers(graph.fifos.size(), 0);
  for (const StreamNodeSpec& node : graph.nodes) {
    for (const auto& output : node.outputs) {
      for (std::size_t f : output.fifos) {
        if (++producers[f] > 1)
          fail(graph, node.where,
               fmt::format("node '{}': FIFO '{}' already has a producer", node.name, graph.fifos[f].name));
      }
    }
    for (const auto& input : node.inputs) {
      if (++consumers[input.fifo] > 1) {
        fail(graph, node.where,
             fmt::format("node '{}': FIFO '{}' already has a consumer (use a fork)", node.name,
                         graph.fifos[input.fifo].name));
      }
    }
  }
  for (std::size_t f = 0; f < graph.fifos.size(); ++f) {
    const StreamFifoSpec& fifo = graph.fifos[f];
    if (producers[f] == 0 && consumers[f] == 0)
      fail(graph, fifo.where, fmt::format("FIFO '{}' is used by no node", fifo.name));
    if (producers[f] == 0) {
      const StreamNodeSpec& node = graph.nodes[graph.consumer(f)];
      fail(graph, node.where,
           fmt::format("dangling port: node '{}' takes from FIFO '{}', into which no node puts anything{}", node.name,
                       fifo.name, hint(graph, f)));
    }
    if (consumers[f] == 0) {
      const StreamNodeSpec& node = graph.nodes[graph.producer(f)];
      fail(graph, node.where,
           fmt::format("dangling port: node '{}' puts into FIFO '{}', from which no node takes anything{}", node.name,
                       fifo.name, hint(graph, f)));
    }
    if (fifo.depth < 1) fail(graph, fifo.where, fmt::format("FIFO '{}': depth 0; the smallest is 1", fifo.name));
    if (fifo.initial > fifo.depth)
      fail(graph, fifo.where,
           fmt::format("FIFO '{}': {} initial elements, depth {}", fifo.name, fifo.initial, fifo.depth));
  }
}

// A FIFO holds what its producer gives; `a` results are what the node takes.
void derive_types(StreamGraph& graph) {
  for (StreamFifoSpec& fifo : graph.fifos) fifo.type = StreamType::kAny;
  for (std::size_t round = 0; round <= graph.nodes.size(); ++round) {
    for (const StreamNodeSpec& node : graph.nodes) {
      const hw::StreamFunctionInfo& info = hw::info_of(node.function);
      for (std::size_t o = 0; o < node.outputs.size(); ++o) {
        StreamType type = hw::type_of_letter(info.outputs[o]);
        if (type == StreamType::kAny) type = graph.fifos[node.inputs[0].fifo].type;
        for (std::size_t f : node.outputs[o].fifos) graph.fifos[f].type = type;
      }
    }
  }
  for (const StreamNodeSpec& node : graph.nodes) {
    const hw::StreamFunctionInfo& info = hw::info_of(node.function);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const StreamFifoSpec& fifo = graph.fifos[node.inputs[i].fifo];
      const StreamType expected = hw::type_of_letter(info.inputs[i]);
      if (fifo.type == StreamType::kAny)
        fail(graph, node.where, fmt::format("node '{}': nothing says what FIFO '{}' holds", node.name, fifo.name));
      if (expected != StreamType::kAny && expected != fifo.type) {
        fail(graph, node.where,
             fmt::format("type mismatch: node '{}': operand {} of '{}' is {}, FIFO '{}' from node '{}' holds {}s",
                         node.name, i + 1, info.name, name_of(expected), fifo.name,
                         graph.nodes[graph.producer(node.inputs[i].fifo)].name, name_of(fifo.type) + 2));
      }
    }
  }
}

void check_balance(const StreamGraph& graph) {
  for (std::size_t f = 0; f < graph.fifos.size(); ++f) {
    const StreamNodeSpec& producer = graph.nodes[graph.producer(f)];
    const StreamNodeSpec& consumer = graph.nodes[graph.consumer(f)];
    std::uint64_t put = 0;
    std::uint64_t taken = 0;
    for (const auto& output : producer.outputs) {
      if (std::find(output.fifos.begin(), output.fifos.end(), f) != output.fifos.end()) {
        put = output.rate == StreamRate::kEvery ? producer.rows.total() : producer.rows.rows;
      }
    }
    for (const auto& input : consumer.inputs) {
      if (input.fifo == f) taken = input.rate == StreamRate::kEvery ? consumer.rows.total() : consumer.rows.rows;
    }
    if (put != taken) {
      fail(graph, consumer.where,
           fmt::format("FIFO '{}': node '{}' puts {} elements in, node '{}' takes {} out", graph.fifos[f].name,
                       producer.name, put, consumer.name, taken));
    }
  }
}

// A cycle of nodes along the FIFOs that `counts` accepts, as text; empty when there is none.
template <class Counts>
std::string find_cycle(const StreamGraph& graph, std::string& where, Counts&& counts) {
  enum class Mark : std::uint8_t { kNew, kOpen, kDone };
  std::vector<Mark> marks(graph.nodes.size(), Mark::kNew);
  std::vector<std::size_t> path;
  std::string cycle;
  const auto visit = [&](const auto& self, std::size_t n) -> bool {
    if (marks[n] == Mark::kDone) return false;
    if (marks[n] == Mark::kOpen) {
      for (auto at = std::find(path.begin(), path.end(), n); at != path.end(); ++at)
        cycle += graph.nodes[*at].name + " -> ";
      cycle += graph.nodes[n].name;
      where = graph.nodes[n].where;
      return true;
    }
    marks[n] = Mark::kOpen;
    path.push_back(n);
    for (const auto& output : graph.nodes[n].outputs) {
      for (std::size_t f : output.fifos) {
        if (counts(graph.fifos[f], graph.nodes[n]) && self(self, graph.consumer(f))) return true;
      }
    }
    path.pop_back();
    marks[n] = Mark::kDone;
    return false;
  };
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (visit(visit, n)) break;
  }
  return cycle;
}

void check_cycles(const StreamGraph& graph) {
  std::string where;
  std::string cycle =
      find_cycle(graph, where, [](const StreamFifoSpec& fifo, const StreamNodeSpec&) { return fifo.initial == 0; });
  if (!cycle.empty())
    fail(graph, where,
         fmt::format("cycle without slack: {}: none of its FIFOs has an initial element, so no node can start", cycle));
  cycle = find_cycle(graph, where, [](const StreamFifoSpec& fifo, const StreamNodeSpec& producer) {
    return fifo.initial == fifo.depth && producer.latency == 1;  // a longer pipeline has places of its own
  });
  if (!cycle.empty())
    fail(graph, where,
         fmt::format("cycle without slack: {}: all of its FIFOs are full at the start, so no node can start", cycle));
}

}  // namespace

void check_stream_graph(StreamGraph& graph, std::uint64_t data_rows) {
  check_nodes(graph, data_rows);
  check_fifos(graph);
  derive_types(graph);
  check_balance(graph);
  check_cycles(graph);
}

}  // namespace systole::workloads
