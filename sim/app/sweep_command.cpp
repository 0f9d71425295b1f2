#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "sim/app/arguments.h"
#include "sim/app/exit_code.h"
#include "sim/app/progress.h"
#include "sim/app/simulation_options.h"
#include "sim/app/version.h"
#include "sim/base/errors.h"
#include "sim/energy/energy.h"
#include "sim/run/simulation.h"
#include "sim/study/sweep.h"

namespace systole::app {
namespace {

namespace po = boost::program_options;

study::PointResult simulate_point(const study::SweepPoint& point, const run::SimulationSettings& settings) {
  const run::Results results = run::run_workload(point.workload, point.machine, settings);
  study::PointResult result;
  result.status = !results.checks || results.checks->passed() ? "ok" : "mismatch";
  result.cycles = results.cycles;
  result.macs = results.macs;
  result.utilization = run::utilisation(results.macs, results.cycles, point.machine.params.array.dim);
  result.energy_pj = energy::energy_of(energy::run_counts(results.counters, results.memory.read_bytes, results.memory.write_bytes),
                                       point.machine.params)
                         .total_pj();
  result.cpu_seconds = results.performance.cpu_seconds;
  return result;
}

int code_of(const std::string& status) {
  if (status == "ok") return kExitDone;
  if (status == "mismatch") return kExitDifferent;
  if (status.rfind("refused", 0) == 0) return kExitBadInput;
  return status.rfind("misuse", 0) == 0 ? kExitMisuse : kExitInternalError;
}

}  // namespace

int run_sweep(const Words& words) {
  Arguments arguments("systole sweep SWEEP.yaml --out DIR [options]",
                      "Simulates every point of a parameter grid or list. All points are checked before the first one runs; each runs in its own process and leaves "
                      "a file in DIR/points, so that an interrupted sweep goes on where it stopped. DIR/results.csv and DIR/results.json have a row per point.",
                      {"systole sweep sweep.yaml --out results --jobs 2"});
  arguments.add("out", po::value<std::string>()->value_name("DIR"), "directory of the results (created when absent)")
      .add_switch("check", "also compare the values of each point (unless the sweep is timing_only)")
      .add("machine", po::value<std::string>()->value_name("FILE|PRESET"), "preset or YAML file instead of the sweep's machine")
      .add("set", po::value<Words>()->composing()->value_name("KEY=VALUE"), "change a parameter of every point that does not set it; repeatable")
      .positional("the sweep", 1, 1);
  add_simulation_options(arguments);
  add_jobs_option(arguments);
  if (!arguments.parse(words)) return kExitDone;
  if (!arguments.has("out")) throw ConfigError("--out DIR is missing: where the results go");

  const SimulationOptions options = simulation_options(arguments);
  const study::Sweep sweep = study::read_sweep(arguments.words()[0], {arguments.get<std::string>("machine", ""), arguments.get<Words>("set", {})});
  run::SimulationSettings settings;
  settings.scheduler = options.scheduler;
  settings.granularity = options.granularity;
  settings.timing_only = options.timing_only || sweep.timing_only;
  settings.check = arguments.has("check");
  settings.skip_ahead = true;   // the same numbers

  const study::SweepOptions sweep_options{arguments.get<std::string>("out"), jobs_option(arguments), kVersion};
  Progress progress("points", sweep.points.size(), !options.quiet);
  const study::SweepOutcome outcome = study::run_sweep(
      sweep, sweep_options, [&](const study::SweepPoint& point) { return simulate_point(point, settings); },
      [&](std::size_t done) { progress.update(done); });
  progress.clear();

  if (options.prints_report()) {
    fmt::print("{}", study::table_text(sweep, outcome.results));
    fmt::print("{} points, {} of them from an earlier run; {}/results.csv\n", outcome.points, outcome.reused, sweep_options.directory);
  }
  if (!options.json.empty()) write_result(options.json, study::table_json(sweep, outcome.results, kVersion));
  std::fflush(stdout);
  int code = kExitDone;
  std::set<std::string> reasons;   // many points fail for the same one
  for (const study::PointResult& result : outcome.results) {
    code = std::max(code, code_of(result.status));
    if (result.status != "ok" && reasons.insert(result.status).second) fmt::print(stderr, "systole: {}\n", result.status);
  }
  return code;
}

}  // namespace systole::app
