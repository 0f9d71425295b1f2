#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sim/base/errors.h"
#include "sim/base/file.h"
#include "sim/base/process_pool.h"
#include "sim/config/parameters.h"
#include "sim/study/sweep.h"
#include "sim/study/sweep_tables.h"

namespace systole::study {
namespace {

using Json = nlohmann::ordered_json;

// Everything that a point's result depends on: two points of equal identity have equal results.
std::string identity(const Sweep& sweep, const SweepPoint& point, const std::string& version) {
  const run::WorkloadRequest& w = point.workload;
  std::string text = fmt::format("{} | {} seq={} layers={} batch={} generate={} seed={} input={} tiler={} timing_only={} |", version, w.name, w.seq, w.layers,
                                 w.batch, w.generate, w.seed, w.input, name_of(w.tiler), sweep.timing_only);
  for (const config::Parameter& parameter : config::parameters(point.machine.params)) {
    text += fmt::format(" {}={}", parameter.key, parameter.value());
  }
  return text;
}

std::string to_json(const PointResult& result, const std::string& point) {
  const Json json = {{"point", point},       {"status", result.status},           {"cycles", result.cycles},
                     {"macs", result.macs},  {"utilization", result.utilization}, {"energy_pj", result.energy_pj},
                     {"cpu_seconds", result.cpu_seconds}};
  return json.dump(2) + "\n";
}

// The stored result of a point, if it is one of this very point and was no failure.
std::optional<PointResult> stored(const std::string& file, const std::string& point) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  const Json json = Json::parse(read_file(file), nullptr, false);
  if (!json.is_object() || json.value("point", "") != point || json.value("status", "") != "ok") return std::nullopt;
  PointResult result;
  result.cycles = json.value("cycles", std::uint64_t{0});
  result.macs = json.value("macs", std::uint64_t{0});
  result.utilization = json.value("utilization", 0.0);
  result.energy_pj = json.value("energy_pj", -1.0);
  result.cpu_seconds = json.value("cpu_seconds", 0.0);
  return result;
}

// The child's result on its way to the parent.
PointResult received(const TaskResult& task) {
  const auto failure = [&](const char* kind) {
    PointResult result;
    result.status = std::string(kind) + ": " + task.text;
    return result;
  };
  switch (task.end) {
    case TaskEnd::kDone: break;
    case TaskEnd::kConfigError: return failure("refused");
    case TaskEnd::kModelError: return failure("misuse");
    case TaskEnd::kInternalError:
    case TaskEnd::kCrashed: return failure("failed");
  }
  const Json json = Json::parse(task.text);
  PointResult result;
  result.status = json.at("status");
  result.cycles = json.at("cycles");
  result.macs = json.at("macs");
  result.utilization = json.at("utilization");
  result.energy_pj = json.at("energy_pj");
  result.cpu_seconds = json.at("cpu_seconds");
  return result;
}

}  // namespace

SweepOutcome run_sweep(const Sweep& sweep, const SweepOptions& options, const std::function<PointResult(const SweepPoint&)>& simulate,
                       const std::function<void(std::size_t)>& progress) {
  const std::string points = options.directory + "/points";
  std::error_code error;
  std::filesystem::create_directories(points, error);
  if (error) throw ConfigError(fmt::format("cannot create directory '{}': {}", points, error.message()));

  SweepOutcome outcome;
  outcome.points = sweep.points.size();
  outcome.results.resize(sweep.points.size());
  std::vector<std::size_t> missing;
  const auto file_of = [&](std::size_t index) { return fmt::format("{}/{:05}.json", points, index); };
  for (std::size_t i = 0; i < sweep.points.size(); ++i) {
    if (const auto result = stored(file_of(i), identity(sweep, sweep.points[i], options.version))) {
      outcome.results[i] = *result;
      ++outcome.reused;
    } else {
      missing.push_back(i);
    }
  }

  std::size_t done = outcome.reused;
  run_tasks(
      missing.size(), options.jobs, [&](std::size_t task) { return to_json(simulate(sweep.points[missing[task]]), ""); },
      [&](std::size_t task, TaskResult result) {
        const std::size_t index = missing[task];
        outcome.results[index] = received(result);
        write_atomically(file_of(index), to_json(outcome.results[index], identity(sweep, sweep.points[index], options.version)));
        progress(++done);
      });
  write_atomically(options.directory + "/results.csv", table_csv(sweep, outcome.results));
  write_atomically(options.directory + "/results.json", table_json(sweep, outcome.results, options.version));
  return outcome;
}

}  // namespace systole::study
