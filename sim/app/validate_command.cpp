#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "sim/app/arguments.h"
#include "sim/app/exit_code.h"
#include "sim/app/progress.h"
#include "sim/app/simulation_options.h"
#include "sim/base/errors.h"
#include "sim/base/process_pool.h"
#include "sim/config/presets.h"
#include "sim/report/table.h"
#include "sim/run/simulation.h"
#include "sim/run/target.h"
#include "sim/run/validate_units.h"
#include "workloads/lower/validate.h"

namespace systole::app {
namespace {

using Json = nlohmann::ordered_json;

// One file, in its own process.
std::string validate_one(const std::string& path, const config::MachineConfig& machine, const run::SimulationSettings& settings) {
  Cycle cycles = 0;
  std::vector<std::string> warnings;
  const workloads::Machine simulator = [&](const isa::Program& program, Memory& memory) {
    const run::ProgramRun run = run::simulate(program, memory, machine, settings);
    cycles = run.machine.cycles;
    warnings = run.machine.warnings;
  };
  const kernels::Target target = run::target_of(machine.params);
  const workloads::SafetensorsFile file(path);
  const workloads::Comparison comparison =
      workloads::holds_units(file) ? run::validate_units(file, target, simulator) : workloads::validate_vectors(file, target, simulator);
  const Json json = {{"file", path},
                     {"boundaries", comparison.boundaries},
                     {"different", comparison.different},
                     {"values", comparison.values},
                     {"mismatches", comparison.mismatches},
                     {"first_mismatch", comparison.first ? workloads::describe(*comparison.first) : ""},
                     {"not_in_memory", comparison.unseen},
                     {"cycles", cycles},
                     {"warnings", warnings}};
  return json.dump();
}

Json failure(const std::string& path, const TaskResult& task) {
  const char* kind = task.end == TaskEnd::kConfigError ? "bad input" : task.end == TaskEnd::kModelError ? "misuse" : "internal error";
  return {{"file", path}, {"error", kind}, {"text", task.text}};
}

int code_of(TaskEnd end) {
  switch (end) {
    case TaskEnd::kDone: return kExitDone;
    case TaskEnd::kConfigError: return kExitBadInput;
    case TaskEnd::kModelError: return kExitMisuse;
    case TaskEnd::kInternalError:
    case TaskEnd::kCrashed: break;
  }
  return kExitInternalError;
}

void print_table(const std::vector<Json>& results) {
  using report::Align;
  report::Table table({{"vectors"}, {"boundaries", Align::kRight}, {"equal", Align::kRight}, {"values", Align::kRight}, {"cycles", Align::kRight}, {"result"}});
  for (const Json& r : results) {
    if (r.contains("error")) {
      table.row({r["file"], "", "", "", "", r["error"]});
      continue;
    }
    const std::uint64_t boundaries = r["boundaries"];
    const std::uint64_t different = r["different"];
    table.row({r["file"], std::to_string(boundaries), std::to_string(boundaries - different), report::grouped(r["values"]), report::grouped(r["cycles"]),
               different == 0 ? "equal" : "DIFFERENT"});
  }
  fmt::print("{}", table.text());
}

}  // namespace

int run_validate(const Words& words) {
  Arguments arguments("systole validate VECTORS.safetensors... [options]",
                      "Builds the quantised model that a file holds, lowers it with all its boundaries, simulates it, and compares every stored boundary bit by "
                      "bit. The first mismatch is named: layer, tensor, row, column, instruction. Files of single operations (metadata arch = units) are run too.",
                      {"systole validate tests/data/numerics/bert_tiny.safetensors", "systole validate vectors/*.safetensors --jobs 2 --set array.dim=8"});
  arguments.positional("a file of vectors", 1, -1);
  add_machine_options(arguments, config::kDefaultPreset);
  add_simulation_options(arguments);
  add_jobs_option(arguments);
  if (!arguments.parse(words)) return kExitDone;

  const SimulationOptions options = simulation_options(arguments);
  if (options.timing_only) throw ConfigError("--timing-only has no values to validate");
  const config::MachineConfig machine = machine_option(arguments, config::kDefaultPreset);
  run::SimulationSettings settings;
  settings.scheduler = options.scheduler;
  settings.granularity = options.granularity;

  const Words& files = arguments.words();
  std::vector<Json> results(files.size());
  int code = kExitDone;
  std::size_t done = 0;
  Progress progress("files", files.size(), !options.quiet);
  run_tasks(
      files.size(), jobs_option(arguments), [&](std::size_t index) { return validate_one(files[index], machine, settings); },
      [&](std::size_t index, const TaskResult& task) {
        results[index] = task.end == TaskEnd::kDone ? Json::parse(task.text) : failure(files[index], task);
        code = std::max(code, code_of(task.end));
        progress.update(++done, files[index]);
      });
  progress.clear();

  if (options.prints_report()) print_table(results);
  if (!options.json.empty()) {
    write_result(options.json, Json{{"schema", "systole-validate 1"}, {"machine", machine.preset}, {"files", results}}.dump(2) + "\n");
  }
  std::fflush(stdout);
  for (const Json& r : results) {
    if (r.contains("error")) {
      const std::string file = r["file"], text = r["text"];
      const bool named = text.rfind(file + ":", 0) == 0;   // what is wrong with the file itself begins with its name
      fmt::print(stderr, "systole: {}{}\n", named ? "" : file + ": ", text);
    } else if (r["boundaries"] == 0) {
      fmt::print(stderr, "systole: {}: holds no boundary to compare\n", r["file"].get<std::string>());
      code = std::max(code, kExitBadInput);
    } else if (r["different"] != 0) {
      fmt::print(stderr, "systole: {}: {}\n", r["file"].get<std::string>(), r["first_mismatch"].get<std::string>());
      code = std::max(code, kExitDifferent);
    }
  }
  return code;
}

}  // namespace systole::app
