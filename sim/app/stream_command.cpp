#include "sim/app/stream_command.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "sim/app/arguments.h"
#include "sim/app/exit_code.h"
#include "sim/app/progress.h"
#include "sim/app/simulation_options.h"
#include "sim/base/errors.h"
#include "sim/report/table.h"
#include "sim/study/sdpa_run.h"
#include "workloads/streaming/attention.h"
#include "workloads/streaming/check.h"
#include "workloads/streaming/graph_yaml.h"

namespace systole::app {
namespace {

namespace po = boost::program_options;
using hw::StreamGraph;
using report::Table;

constexpr double kTolerance = 1e-4;            // of values against double precision
constexpr std::uint64_t kMaxRows = 1'000'000;  // of N: squares of it stay far below the limits of the arithmetic
constexpr std::uint64_t kMaxDim = 65'536;

struct Request {
  StreamGraph graph;
  std::optional<workloads::AttentionGraph> attention;  // one of the four, whose values have a reference
  std::uint64_t rows = 0;
  bool causal = false;
  workloads::AttentionData data;
  bool values = true;
};

struct Report {
  hw::StreamResult result;
  std::optional<study::StreamOutput> output;
  std::optional<double> max_abs_error;
  std::optional<study::SmallestDepths> smallest;
  double cpu_seconds = 0;
  double wall_seconds = 0;
};

std::uint64_t whole_number(const std::string& text, const std::string& what, std::uint64_t min, std::uint64_t max) {
  std::uint64_t value = 0;
  const bool digits = !text.empty() && text.size() <= 18 &&
                      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits) value = std::stoull(text);
  if (!digits || value < min || value > max)
    throw ConfigError(fmt::format("{}: '{}' is not a whole number in {}..{}", what, text, min, max));
  return value;
}

std::pair<std::string, std::string> key_and_value(const std::string& option, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) throw ConfigError(fmt::format("{} '{}': expected NAME=VALUE", option, text));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

void set_depth(StreamGraph& graph, const std::string& text) {
  const auto [name, value] = key_and_value("--depth", text);
  std::vector<std::string> names;
  for (auto& fifo : graph.fifos) {
    names.push_back(fifo.name);
    if (fifo.name != name) continue;
    fifo.depth =
        value == "unbounded" ? hw::kUnbounded : whole_number(value, "--depth " + name, 1, std::uint64_t{1} << 60);
    return;
  }
  throw ConfigError(
      fmt::format("--depth: graph {} has no FIFO '{}'; nearest: '{}'", graph.name, name, nearest(name, names)));
}

void set_node(StreamGraph& graph, const std::string& text) {
  const auto [key, value] = key_and_value("--set", text);
  std::vector<std::string> keys;
  for (auto& node : graph.nodes) {
    for (const char* field : {"latency", "ii"}) {
      keys.push_back(node.name + "." + field);
      if (keys.back() != key) continue;
      (std::string(field) == "ii" ? node.interval : node.latency) =
          whole_number(value, "--set " + key, 1, hw::kMaxStreamLatency);
      return;
    }
  }
  throw ConfigError(
      fmt::format("--set: graph {} has no parameter '{}'; nearest: '{}'", graph.name, key, nearest(key, keys)));
}

Request read_request(const Arguments& arguments, const SimulationOptions& simulation) {
  Request request;
  const std::string& name = arguments.words()[0];
  request.causal = arguments.has("causal");
  request.values = !simulation.timing_only;

  std::uint64_t rows = whole_number(arguments.get<std::string>("rows", "512"), "--rows", 1, kMaxRows);
  std::uint64_t dim = whole_number(arguments.get<std::string>("dim", "64"), "--dim", 1, kMaxDim);
  if (arguments.has("input")) {
    const std::string& path = arguments.get<std::string>("input");
    request.data = workloads::read_attention_data(path);
    if (arguments.has("rows") && rows != request.data.rows)
      throw ConfigError(fmt::format("--rows {}: {} has {} rows", rows, path, request.data.rows));
    if (arguments.has("dim") && dim != request.data.dim)
      throw ConfigError(fmt::format("--dim {}: {} has vectors of {}", dim, path, request.data.dim));
    rows = request.data.rows;
    dim = request.data.dim;
  } else if (request.values) {
    const std::uint64_t seed =
        whole_number(arguments.get<std::string>("seed", "1"), "--seed", 0, std::uint64_t{1} << 53);
    request.data = workloads::random_attention_data(rows, dim, seed);
  }

  request.rows = rows;
  if (name.size() == 1 && name[0] >= 'A' && name[0] <= 'D') {
    workloads::AttentionShape shape;
    shape.rows = rows;
    shape.dim = dim;
    shape.causal = request.causal;
    request.attention = static_cast<workloads::AttentionGraph>(name[0] - 'A');
    request.graph = workloads::attention_graph(*request.attention, shape);
    workloads::check_stream_graph(request.graph, rows);
  } else {
    const std::string ending =
        name.size() > 5 ? name.substr(name.rfind('.') == std::string::npos ? 0 : name.rfind('.')) : "";
    if (ending != ".yaml" && ending != ".yml")
      throw ConfigError(fmt::format("'{}' is no graph: expected A, B, C, D or a .yaml file", name));
    if (request.causal) throw ConfigError("--causal is for the graphs A to D; in a file, give nodes `length: growing`");
    request.graph = workloads::load_stream_graph(name, rows, dim);
  }
  if (arguments.has("unbounded")) request.graph = study::without_bounds(std::move(request.graph));
  for (const std::string& text : arguments.get<Words>("depth", {})) set_depth(request.graph, text);
  for (const std::string& text : arguments.get<Words>("set", {})) set_node(request.graph, text);
  workloads::check_stream_graph(request.graph, rows);
  return request;
}

Report run(const Arguments& arguments, const SimulationOptions& simulation, const Request& request) {
  Report report;
  const double cpu = study::cpu_seconds();
  const auto wall = std::chrono::steady_clock::now();
  if (arguments.has("min-depths")) report.smallest = study::smallest_depths(request.graph);

  hw::StreamOptions options;
  options.scheduler = simulation.scheduler;
  options.leaps = !arguments.has("element-wise");
  if (arguments.has("max-cycles")) {
    options.max_cycles =
        whole_number(arguments.get<std::string>("max-cycles"), "--max-cycles", 1, std::uint64_t{1} << 59);
  }
  if (request.values && arguments.has("element-wise")) {
    auto [result, output] = study::run_element_wise(request.graph, request.data, options);
    report.result = std::move(result);
    report.output = std::move(output);
  } else {
    hw::StreamEngine engine(request.graph, options);
    report.result = engine.run();
    if (request.values) {
      constexpr std::uint64_t kMillion = 1'000'000;
      std::uint64_t firings = 0;
      for (const auto& node : request.graph.nodes) firings += node.rows.total();
      Progress progress("million firings", std::max<std::uint64_t>(1, firings / kMillion), simulation.prints_report());
      report.output = study::compute_values(request.graph, request.data,
                                            [&](std::uint64_t done) { progress.update(done / kMillion, "values"); });
    }
  }
  if (report.output && request.attention && !arguments.has("no-check")) {
    report.max_abs_error = workloads::largest_difference(report.output->sinks.at("output"),
                                                         workloads::reference_attention(request.data, request.causal));
  }
  report.cpu_seconds = study::cpu_seconds() - cpu;
  report.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count();
  return report;
}

std::string depth_text(std::uint64_t depth) { return depth == hw::kUnbounded ? "-" : report::grouped(depth); }

void print_tables(const Request& request, const Report& result) {
  const StreamGraph& graph = request.graph;
  std::uint64_t firings = 0;
  Cycle interval = 1;
  for (const auto& node : graph.nodes) {
    firings = std::max(firings, node.rows.total());
    interval = std::max(interval, node.interval);
  }
  fmt::print("graph {}{}: {} cycles; {} elements at the largest initiation interval of {} take {} ({:.4f} of it)\n\n",
             graph.name, request.causal ? " (causal)" : "", report::grouped(result.result.cycles),
             report::grouped(firings), interval, report::grouped(firings * interval),
             static_cast<double>(result.result.cycles) / static_cast<double>(firings * interval));

  std::vector<Table::Column> columns = {{"FIFO"},
                                        {"from"},
                                        {"to"},
                                        {"depth", report::Align::kRight},
                                        {"peak", report::Align::kRight},
                                        {"elements", report::Align::kRight}};
  if (result.smallest) columns.push_back({"smallest depth", report::Align::kRight});
  Table fifos(columns);
  for (std::size_t f = 0; f < graph.fifos.size(); ++f) {
    const auto& fifo = result.result.fifos[f];
    std::vector<std::string> cells = {fifo.name,
                                      graph.nodes[graph.producer(f)].name,
                                      graph.nodes[graph.consumer(f)].name,
                                      depth_text(fifo.depth),
                                      report::grouped(fifo.peak),
                                      report::grouped(fifo.elements)};
    if (result.smallest) cells.push_back(report::grouped(result.smallest->depths[f]));
    fifos.row(cells);
  }
  fmt::print("{}\n", fifos.text());

  Table nodes({{"node"},
               {"function"},
               {"latency", report::Align::kRight},
               {"interval", report::Align::kRight},
               {"firings", report::Align::kRight},
               {"busy", report::Align::kRight}});
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const auto& spec = graph.nodes[n];
    nodes.row({spec.name, hw::info_of(spec.function).name, std::to_string(spec.latency), std::to_string(spec.interval),
               report::grouped(result.result.nodes[n].firings), report::percent(result.result.nodes[n].utilization)});
  }
  fmt::print("{}\n", nodes.text());

  if (result.smallest) {
    fmt::print("smallest depths: as fast as unbounded FIFOs ({} cycles), found in {} runs\n",
               report::grouped(result.smallest->cycles), result.smallest->runs);
  }
  if (result.max_abs_error) {
    fmt::print("values: largest difference from double precision {:.2e} ({} {:.0e})\n", *result.max_abs_error,
               *result.max_abs_error <= kTolerance ? "within" : "ABOVE", kTolerance);
  } else if (result.output && !request.attention) {
    constexpr std::size_t kShown = 6;
    for (const auto& [name, numbers] : result.output->sinks) {
      fmt::print("values: {} took {} elements:", name, report::grouped(result.output->elements.at(name)));
      for (std::size_t i = 0; i < std::min(kShown, numbers.size()); ++i) fmt::print(" {:.7g}", numbers[i]);
      fmt::print("{}\n", numbers.size() > kShown ? " ..." : "");
    }
  } else if (!result.output) {
    fmt::print("values: not computed (--timing-only)\n");
  }
  if (result.result.leaps != 0) {
    fmt::print(
        "simulator: {:.2f} s; {} of the cycles are repetitions of a steady state, taken in {} leaps\n",
        result.cpu_seconds,
        report::percent(static_cast<double>(result.result.cycles_leapt) / static_cast<double>(result.result.cycles)),
        report::grouped(result.result.leaps));
  } else {
    fmt::print("simulator: {:.2f} s\n", result.cpu_seconds);
  }
}

nlohmann::ordered_json json_of(const SimulationOptions& simulation, const Request& request, const Report& report) {
  using nlohmann::ordered_json;
  const StreamGraph& graph = request.graph;
  ordered_json json;
  json["schema"] = "systole-stream 1";
  json["graph"] = graph.name;
  json["rows"] = request.rows;
  json["dim"] = graph.dim;
  json["causal"] = request.causal;
  json["cycles"] = report.result.cycles;
  json["max_abs_error"] = report.max_abs_error ? ordered_json(*report.max_abs_error) : ordered_json(nullptr);
  json["fifos"] = ordered_json::array();
  for (std::size_t f = 0; f < graph.fifos.size(); ++f) {
    const auto& fifo = report.result.fifos[f];
    ordered_json entry;
    entry["name"] = fifo.name;
    entry["depth"] = fifo.depth == hw::kUnbounded ? ordered_json(nullptr) : ordered_json(fifo.depth);
    entry["peak"] = fifo.peak;
    entry["elements"] = fifo.elements;
    entry["producer"] = graph.nodes[graph.producer(f)].name;
    entry["producer_pipeline"] = graph.nodes[graph.producer(f)].latency - 1;
    entry["consumer"] = graph.nodes[graph.consumer(f)].name;
    if (report.smallest) entry["min_depth"] = report.smallest->depths[f];
    json["fifos"].push_back(std::move(entry));
  }
  json["nodes"] = ordered_json::array();
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    json["nodes"].push_back({{"name", graph.nodes[n].name},
                             {"latency", graph.nodes[n].latency},
                             {"ii", graph.nodes[n].interval},
                             {"firings", report.result.nodes[n].firings},
                             {"utilization", report.result.nodes[n].utilization}});
  }
  if (report.smallest) json["unbounded_cycles"] = report.smallest->cycles;
  if (report.output && !request.attention) {
    for (const auto& [name, numbers] : report.output->sinks) {
      json["sinks"][name] = {
          {"elements", report.output->elements.at(name)},
          {"first", std::vector<float>(
                        numbers.begin(),
                        numbers.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(16, numbers.size())))}};
    }
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  json["simulator"] = {{"cpu_seconds", report.cpu_seconds},
                       {"wall_seconds", report.wall_seconds},
                       {"peak_rss_bytes", static_cast<std::uint64_t>(usage.ru_maxrss) * 1024},
                       {"wakeups", report.result.wakeups},
                       {"leaps", report.result.leaps},
                       {"scheduler", name_of(simulation.scheduler)}};
  return json;
}

}  // namespace

int run_stream(const Words& words) {
  Arguments arguments(
      "systole stream A|B|C|D|GRAPH.yaml [options]",
      "Simulates attention on a streaming-dataflow machine: nodes with a latency and an initiation interval, joined by "
      "bounded FIFOs. A is the naive "
      "graph, B subtracts the maximum of each row, C divides after the product with V, D needs no long FIFO (Sohn, "
      "Zhang, Olukotun, arXiv 2404.16629). "
      "Exit code 3 when the graph deadlocks; the message names the full FIFO, the starving node and the cycle.",
      {"systole stream A --rows 2048", "systole stream D --rows 8192 --unbounded",
       "systole stream A --depth bypass=100", "systole stream A --min-depths --timing-only",
       "systole stream my_graph.yaml --rows 128 --dim 32 --json -"});
  arguments.add("rows", po::value<std::string>()->value_name("N"), "N: query rows, and elements of a row (default 512)")
      .add("dim", po::value<std::string>()->value_name("N"), "d: numbers in a vector (default 64)")
      .add_switch("causal", "query row r sees keys 0..r only (graphs A to D)")
      .add("depth", po::value<Words>()->composing()->value_name("FIFO=K"),
           "places of a FIFO, or FIFO=unbounded; repeatable")
      .add_switch("unbounded", "all FIFOs without limit (before --depth)")
      .add("set", po::value<Words>()->composing()->value_name("KEY=VALUE"),
           "NODE.latency=K, NODE.ii=K: timing of a node; repeatable")
      .add_switch("min-depths", "search the smallest depths that cost no cycle")
      .add("input", po::value<std::string>()->value_name("FILE"),
           "safetensors file with q, k, v of [rows, dim] (default: random numbers)")
      .add("seed", po::value<std::string>()->value_name("N"), "of the random numbers (default 1)")
      .add_switch("no-check", "values without comparison with double precision")
      .add_switch(
          "element-wise",
          "one event per element, values moved as they are computed: the slow reference form, equal in everything")
      .add("max-cycles", po::value<std::string>()->value_name("N"), "give up (exit code 3) after so many cycles")
      .positional("a graph (A, B, C, D or a .yaml file)", 1, 1);
  add_simulation_options(arguments);
  if (!arguments.parse(words)) return kExitDone;

  const SimulationOptions simulation = simulation_options(arguments);
  const Request request = read_request(arguments, simulation);
  const Report report = run(arguments, simulation, request);
  if (simulation.prints_report()) print_tables(request, report);
  if (!simulation.json.empty()) write_result(simulation.json, json_of(simulation, request, report).dump(2) + "\n");
  return report.max_abs_error && !(*report.max_abs_error <= kTolerance) ? kExitDifferent : kExitDone;
}

}  // namespace systole::app
