#pragma once
// Layer graphs written by users:
//   graph: feed_forward                # name
//   seed: 1                            # of parameters and inputs
//   inputs:
//     x: {rows: 128, cols: 768}        # int8
//   nodes:                             # in order; a node uses inputs and nodes before it
//     - {name: inner, op: linear, in: x, cols: 3072, activation: gelu}
//     - {name: sum, op: linear, in: inner, cols: 768, residual: x, output: int32}
//     - {name: y, op: layer_norm, in: sum}
// Operators and their keys (besides name, op, in):
//   linear      cols, activation (none relu gelu), bias (true), residual, output (int8 int32)
//   matmul      in: [a, b], transpose_b (false), output
//   attention   in: [q, k, v], heads (1), causal (false)
//   add         in: [a, b], output
//   layer_norm, softmax   their operand must have output: int32
#include <string>

#include "workloads/graph/graph.h"

namespace systole::workloads {

// `rows`: replaces the rows of every input (--seq); 0: as written. ConfigError with file:line:column.
[[nodiscard]] Graph load_graph(const std::string& path, std::size_t rows = 0);
[[nodiscard]] Graph parse_graph(const std::string& text, const std::string& name, std::size_t rows = 0);

}  // namespace systole::workloads
