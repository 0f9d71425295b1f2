#include "workloads/lower/lower_graph.h"

#include <fmt/format.h>

#include "kernels/add.h"
#include "kernels/allocate.h"
#include "kernels/attention.h"
#include "kernels/builder.h"
#include "kernels/layer_norm.h"
#include "kernels/matmul.h"
#include "kernels/normalise.h"
#include "sim/base/errors.h"

namespace systole::workloads {
namespace {

using kernels::Element;

class GraphLowering {
 public:
  GraphLowering(const QuantisedGraph& graph, const kernels::Target& target)
      : g_(graph), target_(target), memory_(result_.program, target.dim), builder_(target_, result_.program) {}

  Lowered run() {
    for (std::size_t n = 0; n < g_.graph.nodes.size(); ++n) {
      const GraphNode& node = g_.graph.nodes[n];
      const GraphParameters& p = g_.parameters[n];
      require(node, p);
      place(node, p);
      if (node.op == GraphOp::kInput) continue;
      builder_.fence();
      builder_.region(node.name, macs_of(g_.graph, node));
      emit(node, p);
      Boundary b;
      b.name = node.name;
      b.slices = {values_.back()};
      result_.boundaries.push_back(b);
    }
    builder_.fence();
    result_.memory_end = memory_.end();
    return std::move(result_);
  }

 private:
  void require(const GraphNode& node, const GraphParameters& p) const {
    const auto need = [&](bool needed, bool present, const char* setting) {
      if (!needed || present) return;
      throw ConfigError(fmt::format("{}: error: '{}' ({}) needs {}, which this machine does not have", node.where, node.name,
                                    name_of(node.op), setting));
    };
    const bool exp = node.op == GraphOp::kAttention || node.op == GraphOp::kSoftmax;
    const bool gelu = node.activation == GraphActivation::kGelu;
    need(exp || gelu || node.op == GraphOp::kLayerNorm, target_.normaliser, "sfu.normaliser=1");
    need(exp, target_.extensions.integer_exp, "sfu.iexp_as_igelu=0");
    need(p.pre_shift != 0 || p.head.pre_shift != 0, target_.extensions.pre_shift, "sfu.pre_shift=1");
    need(!p.residual_scales.empty(), target_.extensions.accumulator_scale, "sfu.mvin_acc_scale=1");
  }

  // Memory of a node's result; an input has contents.
  void place(const GraphNode& node, const GraphParameters& p) {
    if (node.op == GraphOp::kInput) {
      values_.push_back(memory_.matrix(node.name, node.rows, node.cols, p.value.as<std::int8_t>()));
    } else {
      values_.push_back(memory_.matrix(node.name, node.rows, node.cols, node.int32 ? Element::kInt32 : Element::kInt8));
    }
  }

  const kernels::Matrix& operand(const GraphNode& node, std::size_t n) const { return values_[node.inputs[n]]; }

  kernels::StoreConfig store_of(const GraphNode& node, const GraphParameters& p) const {
    kernels::StoreConfig store;
    store.scale = p.scale;
    switch (node.activation) {
      case GraphActivation::kNone:
        break;
      case GraphActivation::kRelu:
        store.activation = isa::Activation::kRelu;
        break;
      case GraphActivation::kGelu:
        store.activation = isa::Activation::kIgelu;
        store.constants.qb = p.qb;
        store.constants.qc = p.qc;
        store.pre_shift = p.pre_shift;
        break;
    }
    return store;
  }

  void emit(const GraphNode& node, const GraphParameters& p) {
    switch (node.op) {
      case GraphOp::kInput:
        return;
      case GraphOp::kLinear: {
        kernels::MatmulBranch b;
        b.b = memory_.matrix(node.name + ".weights", p.weights.rows, p.weights.cols, p.weights.data.data());
        if (node.bias) b.d = memory_.repeated_row(node.name + ".bias", p.bias.size(), p.bias.data());
        b.c = values_.back();
        b.store = store_of(node, p);
        if (node.residual) {
          b.residual.emplace();
          b.residual->x = operand(node, 1);
          b.residual->scale = p.residual_scales[0];
        }
        kernels::matmul(builder_, operand(node, 0), false, {b});
        return;
      }
      case GraphOp::kMatmul: {
        kernels::MatmulBranch b;
        b.b = operand(node, 1);
        b.c = values_.back();
        b.store = store_of(node, p);
        kernels::matmul(builder_, operand(node, 0), node.transpose_b, {b});
        return;
      }
      case GraphOp::kAttention:
        attention(node, p);
        return;
      case GraphOp::kLayerNorm: {
        kernels::LayerNormArguments a;
        a.x = operand(node, 0);
        a.out = values_.back();
        if (!p.gamma.empty()) {
          const auto dim = static_cast<std::uint64_t>(target_.dim);
          const std::vector<float> rows = kernels::affine_rows(p.gamma, p.beta, dim);
          a.affine = memory_.matrix(node.name + ".affine", rows.size() / dim, dim, rows.data());
        }
        a.scale = p.scale;
        a.pre_shift = p.pre_shift;
        a.wide_variance = g_.functions.wide_variance;
        kernels::layer_norm(builder_, a);
        return;
      }
      case GraphOp::kSoftmax: {
        kernels::StoreConfig store;
        store.activation = isa::Activation::kSoftmax;
        store.scale = p.scale;
        store.constants = constants_of(p.exp);
        store.pre_shift = p.pre_shift;
        kernels::normalise_matrix(builder_, kernels::RowStatistics::kSoftmax, operand(node, 0), values_.back(), store, 0);
        return;
      }
      case GraphOp::kAdd: {
        kernels::AddArguments a;
        a.a = operand(node, 0);
        a.b = operand(node, 1);
        a.scale_a = p.residual_scales[0];
        a.scale_b = p.residual_scales[1];
        a.c = values_.back();
        a.store = store_of(node, p);
        kernels::add(builder_, a);
        return;
      }
    }
    SYSTOLE_CHECK(false);
  }

  static kernels::NonlinearConstants constants_of(const ExpConstants& c) { return {c.qb, c.qc, c.qln2, c.qln2_inv}; }

  void attention(const GraphNode& node, const GraphParameters& p) {
    const auto dim = static_cast<std::uint64_t>(target_.dim);
    const kernels::Matrix& q = operand(node, 0);
    const kernels::Matrix& k = operand(node, 1);
    const kernels::Matrix& v = operand(node, 2);
    const std::uint64_t dk = node.cols / node.heads;
    const std::uint64_t padded = kernels::round_up(q.rows, dim);
    const kernels::Matrix probabilities = memory_.matrix(node.name + ".p", padded * node.heads, k.rows, Element::kInt8);
    const bool spill = kernels::scores_need_memory(target_, k.rows);
    const kernels::Matrix scores =
        spill ? memory_.matrix(node.name + ".scores", padded * node.heads, k.rows, Element::kInt32) : kernels::Matrix{};
    kernels::ScoreMask mask;
    if (node.causal) {
      mask.causal = true;
      mask.origin = kernels::round_up(q.rows, kernels::Allocator::kRowAlignment);
      const std::uint64_t rows = kernels::causal_pattern_rows(dim);
      const std::vector<std::int32_t> pattern = kernels::causal_pattern<std::int32_t>(dim, mask.origin, -p.mask);
      mask.values = memory_.matrix(node.name + ".mask", rows, mask.origin + rows, pattern.data());
    }
    std::vector<kernels::AttentionHead> heads;
    for (std::uint64_t h = 0; h < node.heads; ++h) {
      kernels::AttentionHead head;
      head.q = q.block(0, h * dk, q.rows, dk);
      head.k = k.block(0, h * dk, k.rows, dk);
      head.v = v.block(0, h * dk, k.rows, dk);
      head.p = probabilities.rows_from(h * padded, q.rows);
      if (spill) head.scores = scores.rows_from(h * padded, q.rows);
      head.context = values_.back().block(0, h * dk, q.rows, dk);
      head.exp = constants_of(p.head.exp);
      head.pre_shift = p.head.pre_shift;
      head.p_scale = p.head.probability_scale;
      head.context_scale = p.head.context_scale;
      head.mask = mask;
      heads.push_back(head);
    }
    // One region: the node's.
    kernels::attention(builder_, heads, {g_.functions.deferred_softmax, std::nullopt});
  }

  const QuantisedGraph& g_;
  const kernels::Target target_;
  Lowered result_;
  kernels::Allocator memory_;
  kernels::Builder builder_;
  std::vector<kernels::Matrix> values_;  // by node
};

}  // namespace

GraphFunctions functions_of(const kernels::Target& target) {
  return {target.extensions.norm_affine, target.extensions.deferred_softmax, target.extensions.wide_variance};
}

Lowered lower_graph(const QuantisedGraph& graph, const kernels::Target& target) { return GraphLowering(graph, target).run(); }

TensorMap values_of(const QuantisedGraph& graph) {
  TensorMap values;
  for (std::size_t n = 0; n < graph.graph.nodes.size(); ++n) values[graph.graph.nodes[n].name] = graph.parameters[n].value;
  return values;
}

}  // namespace systole::workloads
