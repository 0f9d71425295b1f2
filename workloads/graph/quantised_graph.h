#pragma once
// A layer graph with numbers: random parameters, constants that fit the values they meet, and the value of every node as the
// integer reference computes it.
#include <cstdint>
#include <vector>

#include "workloads/graph/graph.h"
#include "workloads/quantise/quantised_model.h"

namespace systole::workloads {

// What the machine's read-out can do; decides the form of softmax and LayerNorm.
struct GraphFunctions {
  bool affine_norm = true;        // gamma and beta
  bool deferred_softmax = true;
  bool wide_variance = true;
};

struct GraphHead {
  ExpConstants exp;
  int pre_shift = 0;
  float probability_scale = 0, context_scale = 0;
};

struct GraphParameters {
  Matrix<std::int8_t> weights;         // kLinear [in, out]
  std::vector<std::int32_t> bias;
  float scale = 1;                     // read-out
  int pre_shift = 0;                   // kLinear with GELU, kLayerNorm, kSoftmax
  std::int32_t qb = 0, qc = 0;         // GELU
  ExpConstants exp;                    // kSoftmax
  std::vector<float> gamma, beta;      // kLayerNorm
  std::vector<float> residual_scales;  // kLinear: of the residual; kAdd: of both operands
  GraphHead head;                      // kAttention, equal for all heads
  std::int32_t mask = 0;               // kAttention, causal: subtracted from masked scores
  double unit = 1;                     // real value of one unit of the result
  Tensor value;                        // int8 or int32 [rows, cols]
};

struct QuantisedGraph {
  Graph graph;
  GraphFunctions functions;
  std::vector<GraphParameters> parameters;  // by node
};

// Deterministic for a graph and its seed.
[[nodiscard]] QuantisedGraph quantise_graph(const Graph& graph, const GraphFunctions& functions);

}  // namespace systole::workloads
