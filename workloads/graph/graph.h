#pragma once
// A layer graph: matrices and the operators between them, without numbers. Users write it as YAML (graph_yaml.h).
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace systole::workloads {

enum class GraphOp : std::uint8_t {
  kInput,      // int8 matrix from outside
  kLinear,     // activation(x * W + bias [+ residual]); W and bias are parameters
  kMatmul,     // a * b, or a * transposed(b), of two computed matrices
  kAttention,  // softmax(Q K^T / sqrt(dk)) V, heads side by side in the columns
  kLayerNorm,  // of int32 rows
  kSoftmax,    // of int32 rows
  kAdd,        // a + b
};

enum class GraphActivation : std::uint8_t { kNone, kRelu, kGelu };

struct GraphNode {
  std::string name;
  std::string where;                // "file:line:column" for messages
  GraphOp op = GraphOp::kInput;
  std::vector<std::size_t> inputs;  // nodes before this one; kLinear with a residual: x, residual
  std::size_t rows = 0, cols = 0;   // of the result
  bool int32 = false;               // the result is the accumulator as it is (operand of layer_norm, softmax, residual sums)
  GraphActivation activation = GraphActivation::kNone;
  bool bias = true;
  bool residual = false;
  bool transpose_b = false;
  std::size_t heads = 1;
  bool causal = false;
};

struct Graph {
  std::string name;
  std::uint64_t seed = 1;           // of parameters and inputs
  std::vector<GraphNode> nodes;     // in order of computation
};

[[nodiscard]] const char* name_of(GraphOp op);
// Multiply-accumulates that the node needs.
[[nodiscard]] std::uint64_t macs_of(const Graph& graph, const GraphNode& node);

}  // namespace systole::workloads
