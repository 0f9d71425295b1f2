#include "sim/app/reproduce_command.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include <fmt/core.h>

#include "sim/app/arguments.h"
#include "sim/app/exit_code.h"
#include "sim/app/progress.h"
#include "sim/app/simulation_options.h"
#include "sim/base/errors.h"
#include "sim/report/table.h"
#include "sim/study/sdpa.h"

namespace systole::app {
namespace {

namespace po = boost::program_options;

struct Request {
  std::string directory;
  int jobs = 1;
  bool quiet = false;
};

// The program stands in a build folder inside of the source tree; an installed one has no scripts beside it.
std::string script_path(const std::string& name) {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path script = program.parent_path().parent_path() / "scripts" / name;
  return !error && std::filesystem::exists(script, error) ? script.string() : "";
}

// Draws the plots of a study with a Python script. They are made from the tables, so without Python only they are
// missing.
void draw(const std::string& script, const Request& request) {
  const std::string path = script_path(script);
  bool drawn = false;
  if (!path.empty()) {
    std::fflush(nullptr);
    const char* words[] = {"python3", path.c_str(), request.directory.c_str(), nullptr};
    pid_t process = 0;
    int status = 0;
    drawn = posix_spawnp(&process, "python3", nullptr, nullptr, const_cast<char* const*>(words), environ) == 0 &&
            waitpid(process, &status, 0) == process && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  if (!drawn)
    fmt::print(stderr, "systole: no plots (python3 is needed); to draw them later: python3 scripts/{} {}\n", script,
               request.directory);
}

void reproduce_sdpa(const Request& request) {
  constexpr std::uint64_t kSteps = 20;
  study::SdpaOptions options;
  options.directory = request.directory;
  options.jobs = request.jobs;
  std::uint64_t done = 0;
  {
    Progress progress("steps", kSteps, !request.quiet);
    options.progress = [&](const std::string& step) { progress.update(done++, step); };
    const study::SdpaSummary summary = study::reproduce_sdpa(options);
    progress.clear();
    if (!request.quiet) {
      report::Table table(
          {{"claim"}, {"item"}, {"paper", report::Align::kRight}, {"ours", report::Align::kRight}, {"verdict"}});
      for (const auto& claim : summary.claims) {
        for (const auto& row : claim.rows) {
          const auto text = [](const std::optional<double>& value) {
            return value ? fmt::format("{:.10g}", *value) : std::string("-");
          };
          table.row({claim.id, row.item, text(row.paper), text(row.ours), study::name_of(row.verdict)});
        }
        table.rule();
      }
      fmt::print("{}\n{} pass, {} deviate, {} open; causes in {}/sdpa.md\n", table.text(), summary.passed,
                 summary.deviations, summary.open, request.directory);
    }
  }
  draw("plot_sdpa.py", request);
}

struct Experiment {
  const char* name;
  const char* summary;
  void (*run)(const Request& request);
};

constexpr Experiment kExperiments[] = {
    {"sdpa", "attention on streaming dataflow (Sohn, Zhang, Olukotun, arXiv 2404.16629)", reproduce_sdpa},
};

}  // namespace

int run_reproduce(const Words& words) {
  std::string list;
  std::vector<std::string> names;
  for (const Experiment& experiment : kExperiments) {
    names.emplace_back(experiment.name);
    list += fmt::format(" {}: {}.", experiment.name, experiment.summary);
  }
  Arguments arguments("systole reproduce EXPERIMENT --out DIR",
                      "Repeats a published study and sets its numbers beside ours, with ratio and cause:" + list,
                      {"systole reproduce sdpa --out results"});
  arguments
      .add("out", po::value<std::string>()->value_name("DIR"),
           "directory of the tables (EXPERIMENT.csv, EXPERIMENT.md) and plots")
      .add_switch("quiet", "print errors only")
      .positional("an experiment", 1, 1);
  add_jobs_option(arguments);
  if (!arguments.parse(words)) return kExitDone;

  const std::string& name = arguments.words()[0];
  if (!arguments.has("out")) throw ConfigError("--out DIR is missing");
  Request request;
  request.directory = arguments.get<std::string>("out");
  request.jobs = jobs_option(arguments);
  request.quiet = arguments.has("quiet");
  for (const Experiment& experiment : kExperiments) {
    if (name != experiment.name) continue;
    std::error_code error;
    std::filesystem::create_directories(request.directory, error);
    if (error) throw ConfigError(fmt::format("{}: {}", request.directory, error.message()));
    experiment.run(request);
    return kExitDone;
  }
  throw ConfigError(fmt::format("unknown experiment '{}'; nearest: '{}'", name, nearest(name, names)));
}

}  // namespace systole::app
