#include "workloads/graph/graph.h"

#include "sim/base/errors.h"

namespace systole::workloads {

const char* name_of(GraphOp op) {
  switch (op) {
    case GraphOp::kInput:
      return "input";
    case GraphOp::kLinear:
      return "linear";
    case GraphOp::kMatmul:
      return "matmul";
    case GraphOp::kAttention:
      return "attention";
    case GraphOp::kLayerNorm:
      return "layer_norm";
    case GraphOp::kSoftmax:
      return "softmax";
    case GraphOp::kAdd:
      return "add";
  }
  SYSTOLE_CHECK(false);
  return "";
}

std::uint64_t macs_of(const Graph& graph, const GraphNode& node) {
  switch (node.op) {
    case GraphOp::kLinear:
    case GraphOp::kMatmul:
      return std::uint64_t{node.rows} * node.cols * graph.nodes[node.inputs[0]].cols;
    case GraphOp::kAttention: {
      const std::uint64_t keys = graph.nodes[node.inputs[1]].rows;
      const std::uint64_t pairs = node.causal ? std::uint64_t{node.rows} * (node.rows + 1) / 2 : node.rows * keys;
      return 2 * pairs * node.cols;
    }
    case GraphOp::kInput:
    case GraphOp::kLayerNorm:
    case GraphOp::kSoftmax:
    case GraphOp::kAdd:
      return 0;
  }
  SYSTOLE_CHECK(false);
  return 0;
}

}  // namespace systole::workloads
