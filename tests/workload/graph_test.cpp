// Layer graphs from YAML, lowered and run on the oracle: every node is equal to the integer reference.
#include <gtest/gtest.h>

#include <set>

#include "isa/image.h"
#include "isa/legality.h"
#include "tests/workload/oracle.h"
#include "workloads/graph/graph_yaml.h"
#include "workloads/lower/lower_graph.h"

namespace systole::workloads {
namespace {

void expect_equal(const std::string& text, const kernels::Target& target) {
  const Graph graph = parse_graph(text, "test.yaml");
  const QuantisedGraph quantised = quantise_graph(graph, functions_of(target));
  const Lowered lowered = lower_graph(quantised, target);
  for (const isa::Finding& finding : isa::check_legality(lowered.program, geometry_of(target))) ADD_FAILURE() << isa::to_string(finding);
  Memory memory;
  isa::load_image(lowered.program, memory);
  oracle(target)(lowered.program, memory);
  const Comparison result = compare(lowered, Visibility{}, {values_of(quantised)}, memory, target.dim);
  EXPECT_TRUE(result.equal()) << describe(*result.first);
  std::size_t computed = 0;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (graph.nodes[n].op == GraphOp::kInput) continue;
    ++computed;
    // The numbers mean something: neither constant nor saturated.
    const Tensor& value = quantised.parameters[n].value;
    if (value.dtype != Dtype::I8) continue;
    const std::set<std::int8_t> distinct(value.as<std::int8_t>(), value.as<std::int8_t>() + value.elements());
    EXPECT_GT(distinct.size(), 15u) << graph.nodes[n].name;
  }
  EXPECT_EQ(result.boundaries, computed);
}

const char* const kEveryOperator = R"(
graph: every_operator
seed: 3
inputs:
  x: {rows: 37, cols: 80}
  z: {rows: 21, cols: 80}
nodes:
  - {name: q, op: linear, in: x, cols: 96}
  - {name: k, op: linear, in: z, cols: 96, bias: false}
  - {name: v, op: linear, in: z, cols: 96, activation: relu}
  - {name: context, op: attention, in: [q, k, v], heads: 3}
  - {name: self, op: attention, in: [q, q, q], heads: 2, causal: true}
  - {name: both, op: add, in: [context, self]}
  - {name: sum, op: linear, in: both, cols: 80, residual: x, output: int32}
  - {name: y, op: layer_norm, in: sum}
  - {name: inner, op: linear, in: y, cols: 150, activation: gelu}
  - {name: sum2, op: linear, in: inner, cols: 80, residual: sum}
  - {name: wide, op: add, in: [sum2, sum], output: int32}
  - {name: scores, op: matmul, in: [q, k], transpose_b: true, output: int32}
  - {name: p, op: softmax, in: scores}
  - {name: mixed, op: matmul, in: [p, v]}
)";

TEST(GraphLowering, every_operator_is_equal_to_the_reference) {
  for (const int dim : {16, 4, 8, 32}) {
    SCOPED_TRACE(dim);
    kernels::Target target;
    target.dim = dim;
    target.scratchpad_rows = static_cast<std::uint32_t>(256 * 1024 / dim);
    target.accumulator_rows = static_cast<std::uint32_t>(16 * 1024 / dim);
    expect_equal(kEveryOperator, target);
  }
}

TEST(GraphLowering, a_machine_without_optional_read_outs_is_served) {
  kernels::Target target;
  target.extensions.norm_affine = target.extensions.deferred_softmax = target.extensions.wide_variance = false;
  expect_equal(kEveryOperator, target);
}

TEST(GraphLowering, names_node_and_parameter_that_a_machine_lacks) {
  kernels::Target target;
  target.extensions.accumulator_scale = false;
  const QuantisedGraph quantised = quantise_graph(parse_graph(kEveryOperator, "test.yaml"), functions_of(target));
  try {
    (void)lower_graph(quantised, target);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("test.yaml:13"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("sfu.mvin_acc_scale=1"), std::string::npos) << error.what();
  }
}

struct Bad {
  const char* name;
  const char* nodes;
  const char* message;
};

class BadGraph : public ::testing::TestWithParam<Bad> {};

TEST_P(BadGraph, is_refused_with_line_and_reason) {
  const std::string text = std::string("graph: g\ninputs:\n  x: {rows: 8, cols: 8}\n  w: {rows: 8, cols: 9}\nnodes:\n") + GetParam().nodes;
  try {
    (void)parse_graph(text, "bad.yaml");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_EQ(std::string(error.what()).rfind("bad.yaml:", 0), 0u) << error.what();
    EXPECT_NE(std::string(error.what()).find(GetParam().message), std::string::npos) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Yaml, BadGraph,
    ::testing::Values(Bad{"unknown_operator", "  - {name: a, op: linera, in: x}\n", "linear"},
                      Bad{"unknown_key", "  - {name: a, op: linear, in: x, cols: 4, activaton: relu}\n", "activation"},
                      Bad{"unknown_operand", "  - {name: a, op: linear, in: y, cols: 4}\n", "'y' is no input"},
                      Bad{"missing_columns", "  - {name: a, op: linear, in: x}\n", "cols"},
                      Bad{"duplicate_name", "  - {name: x, op: linear, in: x, cols: 4}\n", "exists already"},
                      Bad{"int8_norm", "  - {name: a, op: layer_norm, in: x}\n", "output: int32"},
                      Bad{"int32_operand", "  - {name: a, op: linear, in: x, cols: 4, output: int32}\n  - {name: b, op: linear, in: a, cols: 4}\n",
                          "int8 operand is needed"},
                      Bad{"shapes", "  - {name: a, op: add, in: [x, w]}\n", "8 x 9"},
                      Bad{"product", "  - {name: a, op: matmul, in: [w, x]}\n", "cannot be multiplied"},
                      Bad{"heads", "  - {name: a, op: attention, in: [x, x, x], heads: 3}\n", "3 heads"},
                      Bad{"count", "  - {name: a, op: add, in: [x]}\n", "takes 2 operands"},
                      Bad{"activation_of_words", "  - {name: a, op: linear, in: x, cols: 4, output: int32, activation: relu}\n", "without activation"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace systole::workloads
