#include <sys/resource.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "sim/run/simulation.h"
#include "sim/run/target.h"
#include "sim/run/tolerance.h"
#include "workloads/lower/lower.h"
#include "workloads/lower/validate.h"
#include "workloads/quantise/accuracy.h"
#include "workloads/quantise/quantiser.h"
#include "workloads/reference/evaluate.h"
#include "workloads/weights/random.h"

namespace systole::run {
namespace {

using workloads::Architecture;
using workloads::TensorMap;

constexpr std::uint64_t kDefaultRows = 128;
constexpr std::uint64_t kInputStream = 1000;   // away from the streams of the calibration tokens

// Sizes with the workload's own in place of what the user left out.
struct Sizes {
  std::size_t layers = 0;
  std::size_t prompt = 0;     // rows of the first pass
  std::size_t rows = 0;       // of the whole input: prompt and generated tokens
  std::size_t target = 0;     // decoder rows of an encoder-decoder model
  std::size_t batch = 1;
};

Sizes sizes_of(const WorkloadRequest& request, const workloads::ModelConfig& config) {
  Sizes sizes;
  sizes.layers = request.layers == 0 ? config.layers : request.layers;
  sizes.prompt = request.seq == 0 ? std::min<std::size_t>(kDefaultRows, config.max_positions) : request.seq;
  sizes.batch = request.batch;
  sizes.rows = sizes.prompt;
  switch (config.architecture) {
    case Architecture::Gpt2: sizes.rows += request.generate; break;
    case Architecture::EncoderDecoder: sizes.target = request.generate == 0 ? sizes.prompt : request.generate; break;
    case Architecture::Bert:
    case Architecture::CrossAttention:
      if (request.generate != 0) throw ConfigError(fmt::format("--generate: {} has no decoder", config.name));
      break;
  }
  if (sizes.layers > config.layers) throw ConfigError(fmt::format("--layers {}: {} has {} layers", sizes.layers, config.name, config.layers));
  if (std::max(sizes.rows, sizes.target) > config.max_positions) {
    throw ConfigError(fmt::format("a sequence of {} rows is longer than the {} positions of {}", std::max(sizes.rows, sizes.target),
                                  config.max_positions, config.name));
  }
  if (sizes.batch == 0) throw ConfigError("--batch 0: at least one sequence is needed");
  return sizes;
}

// A quantised model and the inputs of every sequence of the batch.
struct Prepared {
  workloads::QuantisedModel model;
  std::vector<std::vector<std::int32_t>> tokens;
  std::vector<std::vector<std::int32_t>> targets;
  std::vector<TensorMap> inputs;
};

Prepared prepare(const workloads::WeightSource& source, const Sizes& sizes, std::uint64_t seed, unsigned threads) {
  workloads::QuantiseOptions options;
  options.sequence = sizes.rows;
  options.queries = sizes.target;
  options.prefill = sizes.prompt;
  options.layers = sizes.layers;
  options.seed = seed;
  options.threads = threads;
  Prepared prepared;
  prepared.model = workloads::quantise(source, options);
  for (std::size_t i = 0; i < sizes.batch; ++i) {
    prepared.tokens.push_back(workloads::random_tokens(source.config(), sizes.rows, seed, kInputStream + 2 * i));
    prepared.targets.push_back(workloads::random_tokens(source.config(), sizes.target, seed, kInputStream + 2 * i + 1));
    prepared.inputs.push_back(workloads::embedded_inputs(source, prepared.tokens[i], prepared.targets[i]));
  }
  return prepared;
}

// Compares the machine's memory with the reference as it computes boundary after boundary, so that no more than one is held.
CheckResult check_values(const workloads::WeightSource& source, const Prepared& prepared, const workloads::Lowered& lowered, const Memory& memory,
                         int dim) {
  CheckResult result;
  for (std::size_t i = 0; i < prepared.inputs.size(); ++i) {
    workloads::FloatComparison against_float(source, prepared.model, prepared.tokens[i], prepared.targets[i]);
    workloads::reference::OverflowCounters overflows;
    const auto sink = [&](const std::string& name, workloads::Tensor boundary) {
      std::vector<TensorMap> expected(i + 1);
      against_float.see(name, boundary);
      expected[i][name] = std::move(boundary);
      const workloads::Comparison comparison = workloads::compare(lowered, prepared.model, expected, memory, dim);
      result.boundaries += comparison.boundaries;
      result.elements += comparison.values;
      result.mismatches += comparison.mismatches;
      if (comparison.first && result.first_mismatch.empty()) result.first_mismatch = workloads::describe(*comparison.first);
    };
    workloads::reference::evaluate(prepared.model, prepared.inputs[i], sink, overflows);
    // The sequence that is furthest from float speaks for the batch.
    const workloads::ErrorMetrics& metrics = against_float.output();
    if (!result.against_float || metrics.sqnr_db() < result.against_float->sqnr_db) {
      result.against_float = CheckResult::Float{metrics.cosine(), metrics.sqnr_db(), metrics.max_abs() / metrics.reference_max(), 0, 0};
    }
  }
  return result;
}

void add_tolerance(CheckResult& result, const workloads::ModelConfig& config, const Sizes& sizes) {
  if (const auto tolerance = float_tolerance(config, sizes.layers, sizes.rows); tolerance && result.against_float) {
    result.against_float->min_cosine = tolerance->min_cosine;
    result.against_float->min_sqnr_db = tolerance->min_sqnr_db;
  }
}

std::vector<RegionResult> regions_of(const isa::Program& program, const hw::MachineResult& machine) {
  std::vector<RegionResult> regions;
  std::vector<bool> counted(program.regions.size(), false);
  for (const hw::RegionCycles& region : machine.regions) {
    const isa::Region& info = program.regions.at(region.region);
    // A region that is left and entered again needs its multiply-accumulates once.
    regions.push_back({info.name, region.cycles, counted[region.region] ? 0 : info.macs, region.accounts});
    counted[region.region] = true;
  }
  return regions;
}

std::uint64_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;   // Linux counts kibibytes
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

Results run_workload(const WorkloadRequest& request, const config::MachineConfig& machine, const SimulationSettings& settings) {
  const auto started = std::chrono::steady_clock::now();
  const workloads::RandomWeights source(workloads::find_model(request.name), request.seed);
  const Sizes sizes = sizes_of(request, source.config());

  settings.progress("quantising");
  const Prepared prepared = prepare(source, sizes, request.seed, settings.threads);
  settings.progress("lowering");
  const workloads::Lowered lowered = workloads::lower(prepared.model, prepared.inputs, target_of(machine.params));
  settings.progress("simulating");
  Memory memory;
  const double before = cpu_seconds();
  const ProgramRun run = simulate(lowered.program, memory, machine, settings);
  const double simulated = cpu_seconds() - before;

  Results results;
  results.workload = request.name;
  results.seq = sizes.prompt;
  results.layers = sizes.layers;
  results.seed = request.seed;
  results.machine = machine;
  results.timing_only = settings.timing_only;
  results.cycles = run.machine.cycles;
  for (const isa::Region& region : lowered.program.regions) results.macs += region.macs;
  results.commands = run.machine.accepts.size();
  results.regions = regions_of(lowered.program, run.machine);
  results.accounts = run.machine.accounts;
  results.counters = run.machine.counters;
  results.memory = run.traffic;
  results.warnings = run.machine.warnings;
  check_accounting(results);
  if (settings.check && !settings.timing_only) {
    settings.progress("checking values");
    results.checks = check_values(source, prepared, lowered, memory, machine.params.array.dim);
    add_tolerance(*results.checks, source.config(), sizes);
  }
  results.performance.cpu_seconds = simulated;
  results.performance.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  results.performance.peak_rss_bytes = peak_rss_bytes();
  results.performance.wakeups = run.machine.wakeups;
  results.performance.scheduler = settings.scheduler == SchedulerMode::kFast ? "fast" : settings.scheduler == SchedulerMode::kNative ? "native" : "every-cycle";
  return results;
}

}  // namespace systole::run
