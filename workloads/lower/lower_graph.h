#pragma once
// Turns a layer graph with numbers into a program. Boundaries have the names of the graph's nodes.
#include "kernels/target.h"
#include "workloads/graph/quantised_graph.h"
#include "workloads/lower/lowered.h"

namespace systole::workloads {

// What the machine's read-out can do.
[[nodiscard]] GraphFunctions functions_of(const kernels::Target& target);

// Throws ConfigError: the machine lacks a function that a node needs (naming node and parameter), or a size does not fit.
[[nodiscard]] Lowered lower_graph(const QuantisedGraph& graph, const kernels::Target& target);

// Expected values by node name, for compare().
[[nodiscard]] TensorMap values_of(const QuantisedGraph& graph);

}  // namespace systole::workloads
