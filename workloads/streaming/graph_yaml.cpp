#include "workloads/streaming/graph_yaml.h"

#include <cctype>
#include <cmath>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "sim/base/yaml.h"
#include "workloads/streaming/check.h"

namespace systole::workloads {

using hw::StreamFunctionInfo;
using hw::StreamGraph;
using hw::StreamKind;
using hw::StreamNodeSpec;
using hw::StreamRate;

namespace {

const std::vector<std::string>& kind_names() {
  static const std::vector<std::string> names = {"source", "map",    "zip",  "reduce",
                                                 "scan",   "repeat", "fork", "sink"};  // as StreamKind
  return names;
}

class Reader {
 public:
  Reader(std::uint64_t rows, std::size_t dim) : rows_(rows) { graph_.dim = dim; }

  StreamGraph read(const yaml::Node& document) {
    document.expect_keys("a graph", {"graph", "nodes", "fifos"});
    graph_.name = document.at("graph").text("the name of the graph");
    // FIFOs first: their places in the file are the better ones for errors about them.
    if (const yaml::Node* fifos = document.find("fifos")) {
      for (const auto& [name, spec] : fifos->entries("fifos")) read_fifo(name, spec);
    }
    for (const yaml::Node& node : document.at("nodes").items("nodes")) read_node(node);
    check_stream_graph(graph_, rows_);
    return std::move(graph_);
  }

 private:
  // A sum of products of numbers, N and d.
  [[nodiscard]] std::uint64_t whole_number(const yaml::Node& node, const std::string& what) const {
    const std::string& text = node.text(what);
    std::uint64_t sum = 0;
    std::uint64_t product = 1;
    bool operand_next = true;
    const auto refuse = [&] {
      node.fail(fmt::format("{} '{}' is not a whole number (written with digits, N, d, + and *)", what, text));
    };
    for (std::size_t i = 0; i < text.size();) {
      const char c = text[i];
      if (c == ' ') {
        ++i;
      } else if (operand_next) {
        std::uint64_t operand = 0;
        if (c == 'N' || c == 'd') {
          operand = c == 'N' ? rows_ : graph_.dim;
          ++i;
        } else {
          if (std::isdigit(static_cast<unsigned char>(c)) == 0) refuse();
          for (; i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])) != 0; ++i) {
            operand = operand * 10 + static_cast<std::uint64_t>(text[i] - '0');
            if (operand > kLargest) refuse();
          }
        }
        if (operand != 0 && product > kLargest / operand) node.fail(fmt::format("{} '{}' is too large", what, text));
        product *= operand;
        operand_next = false;
      } else {
        if (c != '+' && c != '*') refuse();
        if (c == '+') {
          sum += product;
          product = 1;
          if (sum > kLargest) node.fail(fmt::format("{} '{}' is too large", what, text));
        }
        operand_next = true;
        ++i;
      }
    }
    if (operand_next) refuse();
    return sum + product;
  }

  [[nodiscard]] std::uint64_t whole_number_or(const yaml::Node& node, const char* key, std::uint64_t otherwise) const {
    const yaml::Node* value = node.find(key);
    return value == nullptr ? otherwise : whole_number(*value, key);
  }

  std::size_t fifo_of(const yaml::Node& name, const std::string& what) {
    const std::string& text = name.text(what);
    const auto [at, inserted] = fifos_.emplace(text, graph_.fifos.size());
    if (inserted) {
      hw::StreamFifoSpec spec;
      spec.name = text;
      spec.where = name.where();
      graph_.fifos.push_back(spec);
    }
    return at->second;
  }

  void read_fifo(const yaml::Node& name, const yaml::Node& value) {
    hw::StreamFifoSpec& spec = graph_.fifos[fifo_of(name, "a FIFO")];
    const auto depth = [&](const yaml::Node& node) {
      return node.is_scalar() && node.text("depth") == "unbounded" ? hw::kUnbounded : whole_number(node, "depth");
    };
    if (value.is_scalar()) {
      spec.depth = depth(value);
      return;
    }
    value.expect_keys("a FIFO", {"depth", "initial", "value"});
    if (const yaml::Node* node = value.find("depth")) spec.depth = depth(*node);
    spec.initial = whole_number_or(value, "initial", 0);
    if (spec.initial > kMostInitial)
      value.fail(fmt::format("{} initial elements; at most {}", spec.initial, kMostInitial));
    if (const yaml::Node* node = value.find("value")) spec.initial_value = static_cast<float>(node->number("value"));
  }

  [[nodiscard]] const StreamFunctionInfo& function_of(const yaml::Node& node) const {
    const yaml::Node& type = node.at("type");
    const auto kind = static_cast<StreamKind>(type.choice("the type of a node", kind_names()));
    std::vector<std::string> names;
    std::vector<const StreamFunctionInfo*> functions;
    for (const StreamFunctionInfo& info : hw::kStreamFunctions) {
      if (info.kind != kind) continue;
      names.emplace_back(info.name);
      functions.push_back(&info);
    }
    const yaml::Node* name = node.find("function");
    if (name == nullptr) {
      if (functions.size() == 1) return *functions[0];
      return *functions[node.at("function").choice("", names)];  // fails: the key is missing
    }
    return *functions[name->choice(fmt::format("the function of a {}", kind_names()[static_cast<std::size_t>(kind)]),
                                   names)];
  }

  hw::StreamInputSpec input(const yaml::Node& node) {
    if (node.is_scalar()) return {fifo_of(node, "an input"), StreamRate::kEvery};
    node.expect_keys("an input", {"fifo", "each"});
    hw::StreamInputSpec spec;
    spec.fifo = fifo_of(node.at("fifo"), "an input");
    if (const yaml::Node* each = node.find("each")) {
      spec.rate = each->choice("each", {"firing", "row"}) == 1 ? StreamRate::kRowFirst : StreamRate::kEvery;
    }
    return spec;
  }

  std::vector<std::size_t> fifos_behind(const yaml::Node& node) {
    std::vector<std::size_t> fifos;
    if (node.is_scalar()) return {fifo_of(node, "an output")};
    for (const yaml::Node& fifo : node.items("an output")) fifos.push_back(fifo_of(fifo, "an output"));
    return fifos;
  }

  void read_node(const yaml::Node& node) {
    node.expect_keys("a node",
                     {"name", "type", "function", "constant", "data", "rows", "length", "latency", "ii", "in", "out"});
    StreamNodeSpec spec;
    spec.where = node.where();
    spec.name = node.at("name").text("the name of a node");
    for (char c : spec.name) {
      if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_')
        node.at("name").fail("a name has only letters, digits and _");
    }
    if (spec.name.empty()) node.at("name").fail("a node needs a name");
    const StreamFunctionInfo& info = function_of(node);
    spec.function = info.function;
    spec.rows.rows = whole_number_or(node, "rows", rows_);
    const yaml::Node* length = node.find("length");
    spec.rows.growing = length != nullptr && length->is_scalar() && length->text("length") == "growing";
    spec.rows.length = spec.rows.growing ? 1 : whole_number_or(node, "length", rows_);
    spec.latency = whole_number_or(node, "latency", 1);
    spec.interval = whole_number_or(node, "ii", 1);
    const yaml::Node* constant = node.find("constant");
    if (constant != nullptr && !info.has_constant) constant->fail(fmt::format("'{}' takes no constant", info.name));
    if (info.has_constant) {
      const yaml::Node& value = node.at("constant");
      const bool scaled = value.is_scalar() && value.text("constant") == "1/sqrt(d)";
      spec.constant =
          static_cast<float>(scaled ? 1.0 / std::sqrt(static_cast<double>(graph_.dim)) : value.number("constant"));
    }
    const bool reads =
        spec.function == hw::StreamFunction::kSourceRows || spec.function == hw::StreamFunction::kSourceColumns;
    if (reads) {
      const std::vector<std::string> tensors = {"q", "k", "v"};
      spec.data = tensors[node.at("data").choice("data", tensors)];
    } else if (const yaml::Node* data = node.find("data")) {
      data->fail(fmt::format("'{}' reads no data", info.name));
    }
    read_ports(node, info, spec);
    graph_.nodes.push_back(std::move(spec));
  }

  void read_ports(const yaml::Node& node, const StreamFunctionInfo& info, StreamNodeSpec& spec) {
    if (const yaml::Node* in = node.find("in")) {
      if (in->is_sequence()) {
        for (const yaml::Node& item : in->items("in")) spec.inputs.push_back(input(item));
      } else {
        spec.inputs.push_back(input(*in));
      }
    }
    // What a repeat takes, it takes once per row.
    if (info.kind == StreamKind::kRepeat && !spec.inputs.empty()) spec.inputs[0].rate = StreamRate::kRowFirst;
    if (const yaml::Node* out = node.find("out")) {
      const bool several_results = info.outputs[0] != '\0' && info.outputs[1] != '\0';
      if (several_results) {
        for (const yaml::Node& item : out->items("out")) spec.outputs.push_back({fifos_behind(item), info.output_rate});
      } else {
        spec.outputs.push_back({fifos_behind(*out), info.output_rate});
      }
    }
  }

  static constexpr std::uint64_t kLargest = std::uint64_t{1} << 60;
  static constexpr std::uint64_t kMostInitial = std::uint64_t{1} << 20;

  std::uint64_t rows_;
  StreamGraph graph_;
  std::map<std::string, std::size_t> fifos_;
};

}  // namespace

StreamGraph parse_stream_graph(const std::string& text, const std::string& name, std::uint64_t rows, std::size_t dim) {
  return Reader(rows, dim).read(yaml::parse(text, name));
}

StreamGraph load_stream_graph(const std::string& path, std::uint64_t rows, std::size_t dim) {
  return Reader(rows, dim).read(yaml::load(path));
}

}  // namespace systole::workloads
