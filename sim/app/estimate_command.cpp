#include "sim/app/estimate_command.h"

#include <cmath>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "sim/app/arguments.h"
#include "sim/app/exit_code.h"
#include "sim/app/simulation_options.h"
#include "sim/app/version.h"
#include "sim/base/errors.h"
#include "sim/report/table.h"
#include "workloads/estimate/analytical_model.h"
#include "workloads/models/model_config.h"

namespace systole::app {
namespace {

namespace po = boost::program_options;
using report::Align;

constexpr std::int64_t kMaxSeq = 1 << 20;
constexpr std::int64_t kMaxLayers = 1 << 12;
constexpr std::int64_t kMaxSize = std::int64_t{1} << 40;
constexpr std::int64_t kMaxArray = 4096;

std::uint64_t number(const Arguments& arguments, const char* name, std::uint64_t otherwise, std::int64_t max) {
  if (!arguments.has(name)) return otherwise;
  const std::int64_t value = arguments.get<std::int64_t>(name);
  if (value < 1 || value > max) throw ConfigError(fmt::format("--{} {} is outside of 1..{}", name, value, max));
  return static_cast<std::uint64_t>(value);
}

double positive(const Arguments& arguments, const char* name, double otherwise) {
  if (!arguments.has(name)) return otherwise;
  const double value = arguments.get<double>(name);
  if (!(value > 0) || !std::isfinite(value)) throw ConfigError(fmt::format("--{} must be a number above 0", name));
  return value;
}

workloads::TransformerShape shape_of(const std::string& name) {
  const workloads::ModelConfig& model = workloads::find_model(name);
  if (model.architecture != workloads::Architecture::Bert && model.architecture != workloads::Architecture::Gpt2)
    throw ConfigError(
        fmt::format("'{}' is no pure encoder or decoder: the analytical model has no cross attention", name));
  return {model.layers, model.d, model.heads, model.f, model.architecture == workloads::Architecture::Gpt2};
}

nlohmann::ordered_json to_json(const workloads::OperatorEstimate& e) {
  return {{"name", e.name},
          {"cycles", e.cycles},
          {"compute_cycles", e.compute_cycles},
          {"memory_cycles", e.memory_cycles},
          {"macs", e.macs},
          {"dram_bytes", e.dram_bytes},
          {"local_bytes", e.local_bytes}};
}

}  // namespace

int run_estimate(const Words& words) {
  Arguments arguments("systole estimate MODEL [options]",
                      "Estimates cycles and memory traffic of a Transformer with the analytical model of arXiv "
                      "2302.14017, section 3.3: each "
                      "operator takes the larger of its arithmetic and its memory time, nothing is fused. No machine "
                      "is simulated; `systole "
                      "reproduce E2` reports the error. A decoder makes all tokens one by one.",
                      {"systole estimate bert-base --seq 512",
                       "systole estimate gpt2 --seq 128 --accumulator-kib 256 --json estimate.json"});
  arguments.add("seq", po::value<std::int64_t>()->value_name("L"), "sequence length (default: 128)")
      .add("layers", po::value<std::int64_t>()->value_name("N"), "only N layers (default: all)")
      .add("array", po::value<std::int64_t>()->value_name("W"), "rows and columns of the array (default: 16)")
      .add("sfu", po::value<std::int64_t>()->value_name("S"), "lanes for non-linear operations (default: 16)")
      .add("accumulator-kib", po::value<std::int64_t>()->value_name("K"), "accumulator (default: 128)")
      .add("l2-kib", po::value<std::int64_t>()->value_name("K"), "L2 (default: 2048)")
      .add("dram-bytes-per-cycle", po::value<double>()->value_name("B"), "between DRAM and L2 (default: 64)")
      .add("local-bytes-per-cycle", po::value<double>()->value_name("B"), "between L2 and local memories (default: 16)")
      .add("json", po::value<std::string>()->value_name("FILE"), "the result as JSON; - is standard output")
      .add_switch("quiet", "print errors only")
      .positional("the model", 1, 1);
  if (!arguments.parse(words)) return kExitDone;

  workloads::TransformerShape shape = shape_of(arguments.words()[0]);
  shape.layers = number(arguments, "layers", shape.layers, kMaxLayers);
  const std::uint64_t seq = number(arguments, "seq", 128, kMaxSeq);
  workloads::AnalyticalMachine machine;
  machine.array = number(arguments, "array", machine.array, kMaxArray);
  machine.sfu = number(arguments, "sfu", machine.sfu, kMaxArray);
  machine.accumulator_bytes = 1024 * number(arguments, "accumulator-kib", machine.accumulator_bytes / 1024, kMaxSize);
  machine.l2_bytes = 1024 * number(arguments, "l2-kib", machine.l2_bytes / 1024, kMaxSize);
  machine.dram_bytes_per_cycle = positive(arguments, "dram-bytes-per-cycle", machine.dram_bytes_per_cycle);
  machine.local_bytes_per_cycle = positive(arguments, "local-bytes-per-cycle", machine.local_bytes_per_cycle);

  const workloads::TransformerEstimate estimate = workloads::estimate_transformer(shape, seq, machine);
  const std::string json_file = result_file(arguments, "json");
  if (!arguments.has("quiet") && json_file != "-") {
    report::Table table({{"operator"},
                         {"cycles", Align::kRight},
                         {"share", Align::kRight},
                         {"bound by"},
                         {"MACs", Align::kRight},
                         {"DRAM bytes", Align::kRight},
                         {"FLOP/byte", Align::kRight}});
    const auto whole = [](double value) { return report::grouped(static_cast<std::uint64_t>(std::llround(value))); };
    for (const workloads::OperatorEstimate& e : estimate.operators) {
      table.row({e.name, whole(e.cycles), report::percent(e.cycles / estimate.cycles()),
                 e.compute_cycles >= e.memory_cycles ? "arithmetic" : "memory", whole(e.macs), whole(e.dram_bytes),
                 fmt::format("{:.2f}", e.intensity())});
    }
    table.rule();
    table.row({"total", whole(estimate.cycles()), "", "", whole(estimate.macs()), whole(estimate.dram_bytes()),
               fmt::format("{:.2f}", estimate.intensity())});
    const double peak = static_cast<double>(machine.array) * static_cast<double>(machine.array);
    fmt::print("{}\n{} of the array's multiply-accumulates in the estimated time\n", table.text(),
               report::percent(estimate.macs() / (estimate.cycles() * peak)));
  }
  if (!json_file.empty()) {
    nlohmann::ordered_json json = {{"schema", "systole-estimate 1"},
                                   {"version", kVersion},
                                   {"workload", arguments.words()[0]},
                                   {"seq", seq},
                                   {"layers", shape.layers}};
    json["cycles"] = estimate.cycles();
    json["macs"] = estimate.macs();
    json["dram_bytes"] = estimate.dram_bytes();
    json["operators"] = nlohmann::ordered_json::array();
    for (const workloads::OperatorEstimate& e : estimate.operators) json["operators"].push_back(to_json(e));
    write_result(json_file, json.dump(2) + "\n");
  }
  return kExitDone;
}

}  // namespace systole::app
