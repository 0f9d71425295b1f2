#include <limits>
#include <optional>

#include <fmt/core.h>

#include "sim/app/arguments.h"
#include "sim/app/exit_code.h"
#include "sim/app/progress.h"
#include "sim/app/simulation_options.h"
#include "sim/app/timeline_option.h"
#include "sim/app/version.h"
#include "sim/base/errors.h"
#include "sim/base/process_pool.h"
#include "sim/config/presets.h"
#include "sim/report/run_report.h"
#include "sim/report/tiler_comparison.h"
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

bool on_or_off(const Arguments& arguments, const char* name, bool otherwise) {
  const std::string value = arguments.get<std::string>(name, otherwise ? "on" : "off");
  if (value != "on" && value != "off") throw ConfigError(fmt::format("--{} {}: on or off", name, value));
  return value == "on";
}

run::WorkloadRequest workload_request(const Arguments& arguments) {
  run::WorkloadRequest request;
  request.name = arguments.words()[0];
  request.seq = number(arguments, "seq", 0, 1, kMaxRows);
  request.layers = number(arguments, "layers", 0, 1, kMaxLayers);
  request.batch = number(arguments, "batch", 0, 1, kMaxRows);
  request.generate = number(arguments, "generate", 0, 1, kMaxRows);
  request.language_head = arguments.has("head");
  request.no_language_head = arguments.has("no-head");
  request.input = arguments.get<std::string>("input", "");
  for (const std::string& text : arguments.get<Words>("tokens", {})) request.tokens.push_back({run::parse_tokens(text, "--tokens"), {}});
  const Words targets = arguments.get<Words>("target", {});
  if (!targets.empty() && targets.size() != request.tokens.size()) {
    throw ConfigError(fmt::format("--target: given {} times, --tokens {} times; each sequence needs its own", targets.size(), request.tokens.size()));
  }
  for (std::size_t i = 0; i < targets.size(); ++i) request.tokens[i].target = run::parse_tokens(targets[i], "--target");
  request.seed = number(arguments, "seed", 1, 0, std::numeric_limits<std::int64_t>::max());
  return request;
}

constexpr kernels::Tiler kTilers[] = {kernels::Tiler::kGemmini, kernels::Tiler::kSearch};
constexpr const char* kCompare = "compare";

// --tiler; absent: both, to be compared.
std::optional<kernels::Tiler> tiler_option(const Arguments& arguments) {
  const std::string name = arguments.get<std::string>("tiler", name_of(kernels::Tiler::kSearch));
  std::vector<std::string> names = {kCompare};
  for (const kernels::Tiler tiler : kTilers) {
    names.emplace_back(name_of(tiler));
    if (name == names.back()) return tiler;
  }
  if (name == kCompare) return std::nullopt;
  throw ConfigError(fmt::format("--tiler {}: unknown; nearest: '{}' (search, gemmini, compare)", name, nearest(name, names)));
}

// Both tilers, each in a process of its own.
int compare_tilers(const run::WorkloadRequest& request, const config::MachineConfig& machine, const run::SimulationSettings& settings,
                   const SimulationOptions& options, bool every_layer) {
  std::string json[std::size(kTilers)];
  run_tasks(
      std::size(kTilers), processors(),
      [&](std::size_t index) {
        run::WorkloadRequest one = request;
        one.tiler = kTilers[index];
        return report::run_json(run::run_workload(one, machine, settings), kVersion);
      },
      [&](std::size_t index, const TaskResult& task) { json[index] = text_or_throw(task); });
  const report::TilerRun runs[] = {report::tiler_run(json[0]), report::tiler_run(json[1])};
  if (options.prints_report()) {
    fmt::print("{}", report::comparison_text(runs[0], runs[1], every_layer));
    if (settings.check && !settings.timing_only) fmt::print("values of both runs: {}\n", runs[0].passed && runs[1].passed ? "equal to the integer reference" : "DIFFERENT");
  }
  if (!options.json.empty()) write_result(options.json, report::comparison_json(json[0], json[1]));
  int code = kExitDone;
  for (const report::TilerRun& one : runs) {
    if (one.passed) continue;
    fmt::print(stderr, "systole: tiler {}: {}\n", one.tiler, one.first_mismatch.empty() ? "the output is further from the float model than it may be" : one.first_mismatch);
    code = kExitDifferent;
  }
  return code;
}

}  // namespace

int run_run(const Words& words) {
  Arguments arguments("systole run WORKLOAD [options]",
                      "Lowers a workload to instructions, simulates it, compares every tensor that the machine leaves in memory with an integer reference and the "
                      "output with the float model, and prints the cycles and where they went. WORKLOAD is a known model (`systole show workloads`; random "
                      "weights), a Hugging Face checkpoint directory, a quantised model (`systole quantize`), a layer graph x.yaml, or a program x.s or x.systole "
                      "(`systole asm`), whose stores are compared with those of the instructions one after the other. The input of a model is random (--seed) "
                      "unless --tokens or --input gives it. Exit code 1: a value differs.",
                      {"systole run bert-base --seq 128 --layers 1", "systole run bert-base --seq 512 --timing-only --machine survey-64-256",
                       "systole run gpt2 --seq 32 --generate 8 --layers 2", "systole run bert-base --layers 1 --tiler compare", "systole run my_checkpoint --tokens 101,2023,2003,102", "systole run model.safetensors --tokens 15496,995 --generate 16", "systole run bert-base --layers 1 --set dma.max_in_flight=32 --json result.json",
                       "systole run bert-base --layers 1 --timeline layer.svg", "systole run isa/examples/tile_product.s"});
  arguments.add("seq", po::value<std::int64_t>()->value_name("L"), "rows of the input (default: 128)")
      .add("layers", po::value<std::int64_t>()->value_name("N"), "only the first N layers (default: all)")
      .add("batch", po::value<std::int64_t>()->value_name("B"), "independent sequences (default: 1)")
      .add("generate", po::value<std::int64_t>()->value_name("T"), "decoder: T tokens after the prompt, one at a time, each the largest integer logit")
      .add("tokens", po::value<Words>()->composing()->value_name("IDS"), "token ids of a sequence: 101,2023,102; repeatable (a batch; shorter ones are padded)")
      .add("target", po::value<Words>()->composing()->value_name("IDS"), "encoder-decoder: token ids that the decoder starts with, for each --tokens")
      .add("input", po::value<std::string>()->value_name("FILE"),
           "token ids, a sequence per line (`ids | ids` with those of the decoder); or the tensors of a quantised model (safetensors)")
      .add_switch("head", "language-model head: the most likely token of every row")
      .add_switch("no-head", "--generate without the head: time of the layers alone, random tokens")
      .add("seed", po::value<std::int64_t>()->value_name("S"), "of weights and input (default: 1)")
      .add("tiler", po::value<std::string>()->value_name("search|gemmini|compare"),
           "how products are cut into loops: by price of every cut (default), by the heuristic of Gemmini's library, or both, side by side")
      .add("skip-ahead", po::value<std::string>()->value_name("on|off"),
           "simulate each piece of work between two fences once and repeat it where the same comes again; cycles and values do not change (default: on)")
      .add_switch("no-check", "compare no values")
      .add_switch("every-layer", "a row per region of each layer instead of sums over the layers")
      .add("max-cycles", po::value<std::uint64_t>()->value_name("N"), "end a run that takes longer")
      .add("watchdog", po::value<std::uint64_t>()->value_name("N"),
           "end a run in which no command is issued or completes for N cycles (default: 10000000; 0: never)")
      .positional("the workload", 1, 1);
  add_timeline_options(arguments);
  add_machine_options(arguments, config::kDefaultPreset);
  add_simulation_options(arguments);
  if (!arguments.parse(words)) return kExitDone;

  const SimulationOptions options = simulation_options(arguments);
  run::WorkloadRequest request = workload_request(arguments);
  const std::optional<kernels::Tiler> tiler = tiler_option(arguments);
  if (tiler) request.tiler = *tiler;
  const config::MachineConfig machine = machine_option(arguments, config::kDefaultPreset);
  PhaseLine phase(!options.quiet);
  run::SimulationSettings settings;
  settings.scheduler = options.scheduler;
  settings.granularity = options.granularity;
  settings.timing_only = options.timing_only;
  settings.check = !arguments.has("no-check");
  settings.skip_ahead = on_or_off(arguments, "skip-ahead", true);
  settings.max_cycles = arguments.get<std::uint64_t>("max-cycles", settings.max_cycles);
  settings.watchdog = arguments.get<std::uint64_t>("watchdog", settings.watchdog);
  settings.threads = static_cast<unsigned>(processors());
  settings.progress = [&](const std::string& text) { phase.show(request.name + ": " + text); };

  settings.on_cycle = [&](Cycle now, Cycle at_least) { phase.show_cycles(request.name + ": simulating", now, at_least); };

  const TimelineOption timeline_file = timeline_option(arguments);
  const std::unique_ptr<report::Timeline> timeline = timeline_file.make();
  if (timeline && !tiler) throw ConfigError("--timeline: shows one run, --tiler compare makes two");
  settings.state_log = timeline.get();
  if (!tiler) return compare_tilers(request, machine, settings, options, arguments.has("every-layer"));
  const run::Results results = run::run_workload(request, machine, settings);
  phase.clear();
  if (options.prints_report()) fmt::print("{}", report::run_text(results, {arguments.has("every-layer")}));
  if (!options.json.empty()) write_result(options.json, report::run_json(results, kVersion));
  if (timeline) timeline_file.write(*timeline, report::timeline_run(results));
  if (!results.checks || results.checks->passed()) return kExitDone;
  fmt::print(stderr, "systole: {}\n", results.checks->mismatches == 0 ? "the output is further from the float model than it may be" : results.checks->first_mismatch);
  return kExitDifferent;
}

}  // namespace systole::app
