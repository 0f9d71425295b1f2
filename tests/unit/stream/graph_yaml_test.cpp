#include <gtest/gtest.h>

#include "sim/base/errors.h"
#include "tests/unit/stream/graphs.h"

namespace systole::test {
namespace {

constexpr const char* kNaive = R"(
graph: A
nodes:
  - {name: read_q, type: source, function: rows, data: q, length: 1, out: q}
  - {name: read_k, type: source, function: columns, data: k, out: k}
  - {name: score, type: zip, function: dot_exp, constant: 1/sqrt(d), latency: 11, in: [{fifo: q, each: row}, k], out: [sum_in, bypass]}
  - {name: read_v, type: source, function: columns, data: v, out: v}
  - {name: row_sum, type: reduce, function: sum, latency: 23, ii: 2, in: sum_in, out: row_sum}
  - {name: divide, type: zip, function: divide, latency: 8, in: [bypass, {fifo: row_sum, each: row}], out: weights}
  - {name: matvec, type: reduce, function: weighted_sum, latency: 13, ii: 2, in: [weights, v], out: output}
  - {name: output, type: sink, length: 1, in: output}
fifos: {sum_in: 3, bypass: N + 24, output: {depth: N}}
)";

TEST(StreamYaml, graph_a_written_by_hand_is_graph_a) {
  constexpr std::uint64_t kRows = 40;
  const hw::StreamGraph graph = parse(kNaive, kRows, 8);
  const hw::StreamGraph built_in = attention(workloads::AttentionGraph::kNaive, kRows, 8);
  const auto ours = time(graph);
  const auto theirs = time(built_in);
  EXPECT_EQ(ours.result.cycles, theirs.result.cycles);
  for (const auto& result : theirs.result.fifos) EXPECT_EQ(fifo(ours, result.name).peak, result.peak) << result.name;
  const auto data = workloads::random_attention_data(kRows, 8, 1);
  EXPECT_EQ(study::compute_values(graph, data).sinks, study::compute_values(built_in, data).sinks);
}

// What is wrong, and the beginning of the message.
struct Bad {
  const char* text;
  const char* message;
};

#define GRAPH "graph: g\nnodes:\n"
#define SOURCE "  - {name: s, type: source, function: ramp, constant: 1, out: x}\n"
#define SINK "  - {name: t, type: sink, in: x}\n"

const Bad kBadGraphs[] = {
    Bad{GRAPH SOURCE,
        "graph.yaml:3:5: error: dangling port: node 's' puts into FIFO 'x', from which no node takes anything"},
    Bad{GRAPH SOURCE "  - {name: t, type: sink, in: y}\n",
        "graph.yaml:3:5: error: dangling port: node 's' puts into FIFO 'x', from which no node takes anything; "
        "nearest: 'y'"},
    Bad{GRAPH SINK,
        "graph.yaml:3:5: error: dangling port: node 't' takes from FIFO 'x', into which no node puts anything"},
    Bad{GRAPH SOURCE SINK "fifos: {xx: 3}", "graph.yaml:5:9: error: FIFO 'xx' is used by no node"},
    Bad{GRAPH SOURCE SINK "fifos: {x: 0}", "graph.yaml:5:9: error: FIFO 'x': depth 0; the smallest is 1"},
    Bad{GRAPH SOURCE SINK "fifos: {x: N - 3}",
        "graph.yaml:5:12: error: depth 'N - 3' is not a whole number (written with digits, N, d, + and *)"},
    Bad{GRAPH SOURCE SINK "fifos: {x: {depth: 2, initial: 3}}",
        "graph.yaml:5:9: error: FIFO 'x': 3 initial elements, depth 2"},
    Bad{GRAPH SOURCE "  - {name: m, type: map, function: exq, in: x, out: y}\n"
                     "  - {name: t, type: sink, in: y}\n",
        "graph.yaml:4:36: error: "},
    Bad{GRAPH "  - {name: s, type: sauce, out: x}\n" SINK, "graph.yaml:3:21: error: "},
    Bad{GRAPH "  - {name: s, type: source, function: columns, data: k, out: x}\n"
              "  - {name: m, type: map, function: exp, in: x, out: y}\n"
              "  - {name: t, type: sink, in: y}\n",
        "graph.yaml:4:5: error: type mismatch: node 'm': operand 1 of 'exp' is a scalar, FIFO 'x' from node 's' holds "
        "vectors"},
    Bad{GRAPH SOURCE "  - {name: t, type: sink, length: 3, in: x}\n",
        "graph.yaml:4:5: error: FIFO 'x': node 's' puts 256 elements in, node 't' takes 48 out"},
    Bad{GRAPH SOURCE SINK SINK, "graph.yaml:5:5: error: node 't': a second node of this name"},
    Bad{GRAPH SOURCE SINK "  - {name: u, type: sink, in: x}\n",
        "graph.yaml:5:5: error: node 'u': FIFO 'x' already has a consumer (use a fork)"},
    Bad{GRAPH SOURCE "  - {name: s2, type: source, function: ramp, constant: 1, out: x}\n" SINK,
        "graph.yaml:4:5: error: node 's2': FIFO 'x' already has a producer"},
    Bad{GRAPH SOURCE "  - {name: m, type: zip, function: add, in: [x, z], out: y}\n"
                     "  - {name: f, type: fork, in: y, out: [z, w]}\n"
                     "  - {name: t, type: sink, in: w}\n",
        "graph.yaml:4:5: error: cycle without slack: m -> f -> m: none of its FIFOs has an initial element, so no node "
        "can start"},
    Bad{GRAPH SOURCE "  - {name: m, type: zip, function: add, in: [x, z], out: y}\n"
                     "  - {name: f, type: fork, in: y, out: [z, w]}\n"
                     "  - {name: t, type: sink, in: w}\n"
                     "fifos: {y: {depth: 2, initial: 2}, z: {depth: 1, initial: 1}}\n",
        "graph.yaml:4:5: error: cycle without slack: m -> f -> m: all of its FIFOs are full at the start, so no node "
        "can start"},
    Bad{GRAPH SOURCE "  - {name: m, type: zip, function: add, in: x, out: y}\n"
                     "  - {name: t, type: sink, in: y}\n",
        "graph.yaml:4:5: error: node 'm': 1 inputs; 'add' takes 2"},
    Bad{GRAPH "  - {name: s, type: source, function: ramp, constant: 1}\n",
        "graph.yaml:3:5: error: node 's': 0 outputs; 'ramp' gives 1"},
    Bad{GRAPH "  - {name: s, type: source, function: ramp, constant: 1, out: []}\n",
        "graph.yaml:3:5: error: node 's': dangling port: an output leads nowhere"},
    Bad{GRAPH "  - {name: s, type: source, function: ramp, constant: 1, latency: 0, out: x}\n" SINK,
        "graph.yaml:3:5: error: node 's': latency 0 is not in 1..1000000"},
    Bad{GRAPH "  - {name: s, type: source, function: ramp, constant: 1, ii: 0, out: x}\n" SINK,
        "graph.yaml:3:5: error: node 's': ii 0 is not in 1..1000000"},
    Bad{GRAPH "  - {name: s, type: source, function: ramp, constant: 1, rows: N*N*N*N*N*N*N*N*N*N*N*N, out: x}\n" SINK,
        "graph.yaml:3:5: error: node 's': "},
    Bad{GRAPH "  - {name: s, type: source, function: ramp, constant: 1, rows: N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N, out: "
              "x}\n" SINK,
        "graph.yaml:3:64: error: rows"},
    Bad{GRAPH "  - {name: s, type: source, function: columns, data: k, length: 17, out: x}\n" SINK,
        "graph.yaml:3:5: error: node 's': reads 17 rows of 'k', which has 16"},
    Bad{GRAPH "  - {name: s, type: source, function: columns, data: w, out: x}\n" SINK, "graph.yaml:3:54: error: "},
    Bad{GRAPH "  - {name: s, type: source, function: ramp, out: x}\n" SINK, "graph.yaml:3:5: error: "},
    Bad{GRAPH "  - {name: s s, type: source, function: ramp, constant: 1, out: x}\n" SINK,
        "graph.yaml:3:12: error: a name has only letters, digits and _"},
    Bad{GRAPH "  - {name: a, type: fork, in: x, out: y}\n  - {name: b, type: fork, in: y, out: x}\nfifos: {x: {depth: "
              "2, initial: 1}}\n",
        "graph.yaml:3:5: error: node 'a': nothing says what FIFO 'x' holds"},
    Bad{"graph: g\nnodes: []\n", "graph g: the graph has no nodes"},
    Bad{"graph: g\nnods: []\n", "graph.yaml:2:1: error: "},
    Bad{"nodes: []\n", "graph.yaml:1:1: error: "},
    Bad{"", "graph.yaml:1:1: "}};

TEST(StreamYaml, what_is_wrong_is_refused_at_its_place) {
  for (const Bad& bad : kBadGraphs) {
    try {
      (void)parse(bad.text, 16);
      ADD_FAILURE() << "accepted: " << bad.text;
    } catch (const ConfigError& error) {
      EXPECT_EQ(std::string(error.what()).substr(0, std::string(bad.message).size()), bad.message)
          << error.what() << "\nof" << bad.text;
    }
  }
}

TEST(StreamYaml, more_nodes_than_a_scheduler_holds_are_refused) {
  std::string text = GRAPH "  - {name: s, type: source, function: ramp, constant: 1, out: x0}\n";
  for (int n = 0; n < 70; ++n) {
    text += "  - {name: m" + std::to_string(n) + ", type: map, function: negate, in: x" + std::to_string(n) +
            ", out: x" + std::to_string(n + 1) + "}\n";
  }
  text += "  - {name: t, type: sink, in: x70}\n";
  EXPECT_THROW((void)parse(text, 16), ConfigError);
}

}  // namespace
}  // namespace systole::test
