#include <limits>

#include <fmt/core.h>

#include "sim/app/arguments.h"
#include "sim/app/exit_code.h"
#include "sim/app/progress.h"
#include "sim/app/simulation_options.h"
#include "sim/app/version.h"
#include "sim/base/errors.h"
#include "sim/config/presets.h"
#include "sim/report/run_report.h"
#include "sim/run/simulation.h"

namespace systole::app {
namespace {

namespace po = boost::program_options;

constexpr std::uint64_t kMaxRows = 1u << 20;
constexpr std::uint64_t kMaxLayers = 1u << 12;

// A number that, when given, lies in min..max.
std::uint64_t number(const Arguments& arguments, const char* name, std::uint64_t otherwise, std::uint64_t min, std::uint64_t max) {
  if (!arguments.has(name)) return otherwise;
  const std::int64_t value = arguments.get<std::int64_t>(name);
  if (value < static_cast<std::int64_t>(min) || value > static_cast<std::int64_t>(max)) {
    throw ConfigError(fmt::format("--{} {} is outside of {}..{}", name, value, min, max));
  }
  return static_cast<std::uint64_t>(value);
}

run::WorkloadRequest workload_request(const Arguments& arguments) {
  run::WorkloadRequest request;
  request.name = arguments.words()[0];
  request.seq = number(arguments, "seq", 0, 1, kMaxRows);
  request.layers = number(arguments, "layers", 0, 1, kMaxLayers);
  request.batch = number(arguments, "batch", 1, 1, kMaxRows);
  request.generate = number(arguments, "generate", 0, 1, kMaxRows);
  request.seed = number(arguments, "seed", 1, 0, std::numeric_limits<std::int64_t>::max());
  return request;
}

}  // namespace

int run_run(const Words& words) {
  Arguments arguments("systole run WORKLOAD [options]",
                      "Lowers a workload to instructions, simulates it, compares every tensor that the machine leaves in memory with an integer reference and the "
                      "output with the float model, and prints the cycles and where they went. WORKLOAD is a known model (`systole show workloads`; random "
                      "weights), a Hugging Face checkpoint directory, or a layer graph x.yaml. The input is random (--seed). Exit code 1: a value differs.",
                      {"systole run bert-base --seq 128 --layers 1", "systole run bert-base --seq 512 --timing-only --machine survey-64-256",
                       "systole run gpt2 --seq 32 --generate 8 --layers 2", "systole run bert-base --layers 1 --set dma.max_in_flight=32 --json result.json"});
  arguments.add("seq", po::value<std::int64_t>()->value_name("L"), "rows of the input (default: 128)")
      .add("layers", po::value<std::int64_t>()->value_name("N"), "only the first N layers (default: all)")
      .add("batch", po::value<std::int64_t>()->value_name("B"), "independent sequences (default: 1)")
      .add("generate", po::value<std::int64_t>()->value_name("T"), "decoder: T tokens after the prompt, one at a time")
      .add("seed", po::value<std::int64_t>()->value_name("S"), "of weights and input (default: 1)")
      .add_switch("no-check", "compare no values")
      .add_switch("every-layer", "a row per region of each layer instead of sums over the layers")
      .add("max-cycles", po::value<std::uint64_t>()->value_name("N"), "end a run that takes longer")
      .positional("the workload", 1, 1);
  add_machine_options(arguments, config::kDefaultPreset);
  add_simulation_options(arguments);
  if (!arguments.parse(words)) return kExitDone;

  const SimulationOptions options = simulation_options(arguments);
  const run::WorkloadRequest request = workload_request(arguments);
  const config::MachineConfig machine = machine_option(arguments, config::kDefaultPreset);
  PhaseLine phase(!options.quiet);
  run::SimulationSettings settings;
  settings.scheduler = options.scheduler;
  settings.timing_only = options.timing_only;
  settings.check = !arguments.has("no-check");
  settings.max_cycles = arguments.get<std::uint64_t>("max-cycles", settings.max_cycles);
  settings.threads = static_cast<unsigned>(processors());
  settings.progress = [&](const std::string& text) { phase.show(request.name + ": " + text); };

  settings.on_cycle = [&](Cycle now, Cycle at_least) { phase.show_cycles(request.name + ": simulating", now, at_least); };

  const run::Results results = run::run_workload(request, machine, settings);
  phase.clear();
  if (options.prints_report()) fmt::print("{}", report::run_text(results, {arguments.has("every-layer")}));
  if (!options.json.empty()) write_result(options.json, report::run_json(results, kVersion));
  if (!results.checks || results.checks->passed()) return kExitDone;
  fmt::print(stderr, "systole: {}\n", results.checks->mismatches == 0 ? "the output is further from the float model than it may be" : results.checks->first_mismatch);
  return kExitDifferent;
}

}  // namespace systole::app
