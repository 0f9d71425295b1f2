#include "workloads/graph/graph_yaml.h"

#include <map>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "sim/base/yaml.h"

namespace systole::workloads {
namespace {

constexpr std::int64_t kMaxSize = 1 << 20;

const std::vector<std::string>& op_names() {
  static const std::vector<std::string> names = {"linear", "matmul", "attention", "layer_norm", "softmax", "add"};
  return names;
}

constexpr GraphOp kOps[] = {GraphOp::kLinear,    GraphOp::kMatmul,  GraphOp::kAttention,
                            GraphOp::kLayerNorm, GraphOp::kSoftmax, GraphOp::kAdd};

// Keys of each operator besides name, op and in.
std::vector<std::string> keys_of(GraphOp op) {
  std::vector<std::string> keys = {"name", "op", "in"};
  const auto add = [&](std::initializer_list<const char*> more) { keys.insert(keys.end(), more.begin(), more.end()); };
  switch (op) {
    case GraphOp::kLinear:
      add({"cols", "activation", "bias", "residual", "output"});
      break;
    case GraphOp::kMatmul:
      add({"transpose_b", "output"});
      break;
    case GraphOp::kAttention:
      add({"heads", "causal"});
      break;
    case GraphOp::kAdd:
      add({"output"});
      break;
    case GraphOp::kInput:
    case GraphOp::kLayerNorm:
    case GraphOp::kSoftmax:
      break;
  }
  return keys;
}

class Reader {
 public:
  explicit Reader(std::size_t rows) : rows_(rows) {}

  Graph read(const yaml::Node& root) {
    root.expect_keys("layer graph", {"graph", "seed", "inputs", "nodes"});
    graph_.name = root.at("graph").text("name of the graph");
    if (const yaml::Node* seed = root.find("seed")) {
      graph_.seed = static_cast<std::uint64_t>(seed->integer("seed", 0, std::int64_t{1} << 53));
    }
    for (const auto& [key, value] : root.at("inputs").entries("inputs")) input(key, value);
    if (graph_.nodes.empty()) root.at("inputs").fail("a graph needs an input");
    const std::vector<yaml::Node>& nodes = root.at("nodes").items("nodes");
    if (nodes.empty()) root.at("nodes").fail("a graph needs a node");
    for (const yaml::Node& n : nodes) node(n);
    return std::move(graph_);
  }

 private:
  void add(GraphNode node, const yaml::Node& name) {
    if (!names_.emplace(node.name, graph_.nodes.size()).second) name.fail(fmt::format("'{}' exists already", node.name));
    graph_.nodes.push_back(std::move(node));
  }

  void input(const yaml::Node& key, const yaml::Node& value) {
    value.expect_keys("input", {"rows", "cols"});
    GraphNode n;
    n.name = key.text("name of an input");
    n.where = key.where();
    n.rows = static_cast<std::size_t>(value.at("rows").integer("rows", 1, kMaxSize));
    n.cols = static_cast<std::size_t>(value.at("cols").integer("cols", 1, kMaxSize));
    if (rows_ != 0) n.rows = rows_;
    add(n, key);
  }

  std::size_t operand(const yaml::Node& name) {
    const std::string text = name.text("operand");
    const auto found = names_.find(text);
    if (found != names_.end()) return found->second;
    std::vector<std::string> choices;
    for (const auto& entry : names_) choices.push_back(entry.first);
    name.fail_choice(fmt::format("'{}' is no input and no node before this one", text), choices);
  }

  const GraphNode& at(std::size_t index) const { return graph_.nodes[index]; }

  // The operand must be int8 / int32.
  void need_int8(std::size_t index, const yaml::Node& where) const {
    if (at(index).int32) where.fail(fmt::format("'{}' is int32, an int8 operand is needed (without 'output: int32')", at(index).name));
  }
  void need_int32(std::size_t index, const yaml::Node& where) const {
    if (!at(index).int32) where.fail(fmt::format("'{}' is int8, an int32 operand is needed (add 'output: int32' to it)", at(index).name));
  }

  void read_operands(const yaml::Node& n, GraphNode& node, std::size_t count) {
    const yaml::Node& in = n.at("in");
    if (count == 1) {
      node.inputs.push_back(operand(in));
      return;
    }
    const std::vector<yaml::Node>& items = in.items("in");
    if (items.size() != count) in.fail(fmt::format("{} takes {} operands, here are {}", name_of(node.op), count, items.size()));
    for (const yaml::Node& item : items) node.inputs.push_back(operand(item));
  }

  void read_output(const yaml::Node& n, GraphNode& node) const {
    if (const yaml::Node* output = n.find("output")) node.int32 = output->choice("output", {"int8", "int32"}) == 1;
  }

  void node(const yaml::Node& n) {
    const yaml::Node& op = n.at("op");
    GraphNode node;
    node.op = kOps[op.choice("op", op_names())];
    n.expect_keys(name_of(node.op), keys_of(node.op));
    node.name = n.at("name").text("name of a node");
    node.where = n.where();
    const yaml::Node& in = n.at("in");
    switch (node.op) {
      case GraphOp::kLinear: {
        read_operands(n, node, 1);
        need_int8(node.inputs[0], in);
        node.rows = at(node.inputs[0]).rows;
        node.cols = static_cast<std::size_t>(n.at("cols").integer("cols", 1, kMaxSize));
        read_output(n, node);
        if (const yaml::Node* a = n.find("activation")) {
          node.activation = static_cast<GraphActivation>(a->choice("activation", {"none", "relu", "gelu"}));
          if (node.int32 && node.activation != GraphActivation::kNone) a->fail("an int32 result is read without activation");
        }
        if (const yaml::Node* bias = n.find("bias")) node.bias = bias->boolean("bias");
        if (const yaml::Node* residual = n.find("residual")) {
          node.residual = true;
          node.inputs.push_back(operand(*residual));
          same_shape(node.inputs[1], node.rows, node.cols, *residual);
        }
        break;
      }
      case GraphOp::kMatmul: {
        read_operands(n, node, 2);
        need_int8(node.inputs[0], in);
        need_int8(node.inputs[1], in);
        if (const yaml::Node* t = n.find("transpose_b")) node.transpose_b = t->boolean("transpose_b");
        const GraphNode& a = at(node.inputs[0]);
        const GraphNode& b = at(node.inputs[1]);
        if (a.cols != (node.transpose_b ? b.cols : b.rows)) {
          in.fail(fmt::format("'{}' is {} x {}, '{}' is {} x {}: they cannot be multiplied{}", a.name, a.rows, a.cols, b.name, b.rows,
                              b.cols, node.transpose_b ? " transposed" : ""));
        }
        node.rows = a.rows;
        node.cols = node.transpose_b ? b.rows : b.cols;
        read_output(n, node);
        break;
      }
      case GraphOp::kAttention: {
        read_operands(n, node, 3);
        for (const std::size_t i : node.inputs) need_int8(i, in);
        const GraphNode& q = at(node.inputs[0]);
        const GraphNode& k = at(node.inputs[1]);
        same_shape(node.inputs[2], k.rows, k.cols, in);
        if (q.cols != k.cols) in.fail(fmt::format("queries have {} columns, keys {}", q.cols, k.cols));
        node.rows = q.rows;
        node.cols = q.cols;
        if (const yaml::Node* heads = n.find("heads")) {
          node.heads = static_cast<std::size_t>(heads->integer("heads", 1, kMaxSize));
          if (q.cols % node.heads != 0) heads->fail(fmt::format("{} columns cannot be split into {} heads", q.cols, node.heads));
        }
        if (const yaml::Node* causal = n.find("causal")) {
          node.causal = causal->boolean("causal");
          if (node.causal && q.rows != k.rows) causal->fail("a causal attention has as many queries as keys");
        }
        break;
      }
      case GraphOp::kLayerNorm:
      case GraphOp::kSoftmax:
        read_operands(n, node, 1);
        need_int32(node.inputs[0], in);
        node.rows = at(node.inputs[0]).rows;
        node.cols = at(node.inputs[0]).cols;
        break;
      case GraphOp::kAdd:
        read_operands(n, node, 2);
        node.rows = at(node.inputs[0]).rows;
        node.cols = at(node.inputs[0]).cols;
        same_shape(node.inputs[1], node.rows, node.cols, in);
        read_output(n, node);
        break;
      case GraphOp::kInput:
        SYSTOLE_CHECK(false);
    }
    add(std::move(node), n.at("name"));
  }

  void same_shape(std::size_t index, std::size_t rows, std::size_t cols, const yaml::Node& where) const {
    const GraphNode& n = at(index);
    if (n.rows == rows && n.cols == cols) return;
    where.fail(fmt::format("'{}' is {} x {}, needed is {} x {}", n.name, n.rows, n.cols, rows, cols));
  }

  std::size_t rows_;
  Graph graph_;
  std::map<std::string, std::size_t> names_;
};

}  // namespace

Graph load_graph(const std::string& path, std::size_t rows) { return Reader(rows).read(yaml::load(path)); }

Graph parse_graph(const std::string& text, const std::string& name, std::size_t rows) {
  return Reader(rows).read(yaml::parse(text, name));
}

}  // namespace systole::workloads
