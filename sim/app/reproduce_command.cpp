#include "sim/app/reproduce_command.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include <fmt/core.h>

#include "sim/app/arguments.h"
#include "sim/app/exit_code.h"
#include "sim/app/progress.h"
#include "sim/app/simulation_options.h"
#include "sim/app/version.h"
#include "sim/base/errors.h"
#include "sim/config/machine_config.h"
#include "sim/config/parameters.h"
#include "sim/report/table.h"
#include "sim/study/case_study.h"
#include "sim/study/sdpa.h"
#include "sim/study/systolic_attention.h"

namespace systole::app {
namespace {

namespace po = boost::program_options;

struct Request {
  std::string directory;
  int jobs = 1;
  bool quick = false;
  bool quiet = false;
  std::vector<config::Setting> settings;  // on top of every machine
  std::vector<study::CaseStudy> studies;  // done so far
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

void reproduce_sdpa(Request& request) {
  constexpr std::uint64_t kSteps = 20;
  study::SdpaOptions options;
  options.directory = request.directory;
  options.jobs = request.jobs;
  if (request.quick) options.largest_rows = options.largest_values = 2048;
  options.systolic = [](std::uint64_t rows, std::size_t dim) {
    return study::systolic_attention(rows, dim, study::kSdpaSeed, config::preset_machine("survey"));
  };
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

// What is equal is only counted; other readings stand in the files.
void print_case_study(const study::CaseStudy& study, const std::string& directory) {
  report::Table table({{"item"}, {"paper", report::Align::kRight}, {"ours", report::Align::kRight}, {"verdict"}});
  for (const study::CaseRow& row : study.rows) {
    if (row.verdict == study::CaseVerdict::kEqual || row.verdict == study::CaseVerdict::kReading) continue;
    table.row({row.item, row.paper.empty() ? "-" : row.paper, row.ours ? fmt::format("{:.6g}", *row.ours) : "-",
               study::name_of(row.verdict)});
  }
  using study::CaseVerdict;
  fmt::print("{}: {}\n{}\n{} equal in every printed digit (not listed), {} deviate, {} contradict the paper's other numbers, {} "
             "open; causes in {}/{}.md\n",
             study.id, study.title, table.text(), study.count(CaseVerdict::kEqual), study.count(CaseVerdict::kDeviation),
             study.count(CaseVerdict::kContradiction), study.count(CaseVerdict::kOpen), directory, study.id);
}

template <class Make>
void reproduce_case(Request& request, Make make) {
  std::unique_ptr<Progress> progress;
  std::size_t stored = 0, last = 0, last_total = 0;
  study::CaseOptions options;
  options.directory = request.directory;
  options.version = kVersion;
  options.jobs = request.jobs;
  options.quick = request.quick;
  options.settings = request.settings;
  // Rate and time left are those of the runs that are simulated now; stored ones took no time.
  options.progress = [&](const std::string& run, std::size_t done, std::size_t total) {
    if (progress == nullptr || total != last_total || done <= last) {
      stored = done;
      progress = std::make_unique<Progress>("runs", total - stored, !request.quiet);
    }
    last = done, last_total = total;
    progress->update(done - stored, run);
  };
  const study::CaseStudy study = make(options);
  progress.reset();
  study::write_case_study(study, request.directory);
  if (!request.quiet) print_case_study(study, request.directory);
  request.studies.push_back(study);
}

study::CaseStudy workload_analysis(const study::CaseOptions&) { return study::workload_analysis(); }

template <study::CaseStudy (*make)(const study::CaseOptions&)>
void reproduce_with_plots(Request& request) {
  reproduce_case(request, make);
  draw("plot_case_study.py", request);
}

void reproduce_e8(Request& request) { reproduce_case(request, study::energy_and_area); }

struct Experiment {
  const char* name;
  const char* summary;
  void (*run)(Request& request);
};

constexpr Experiment kExperiments[] = {
    {"E1", "workload analysis of Transformers and ResNet-50 (Kim et al., arXiv 2302.14017, section 2.2)", reproduce_with_plots<workload_analysis>},
    {"E2", "analytical model (the same, section 3.3) and its error against simulation", reproduce_with_plots<study::analytical_model>},
    {"E3", "splits of the on-chip memory (the same, section 3.4.3)", reproduce_with_plots<study::memory_balance>},
    {"E4", "where time goes with non-linear operations on a CPU and on the accelerator (the same, sections 3.4.2 to 3.4.4)", reproduce_with_plots<study::time_shares>},
    {"E5", "softmax and LayerNorm in the read-out of the product before them (the same, section 5.5.2)", reproduce_with_plots<study::fusion>},
    {"E8", "energy and area of the units for non-linear operations (the same, section 3.4.4)", reproduce_e8},
    {"sdpa", "attention on streaming dataflow (Sohn, Zhang, Olukotun, arXiv 2404.16629)", reproduce_sdpa},
};

// What --machine and --set change, wherever they stand.
std::vector<config::Setting> settings_of(const Arguments& arguments) {
  std::vector<config::Setting> settings;
  if (arguments.has("machine")) {
    const std::string name = arguments.get<std::string>("machine");
    const config::MachineConfig machine = config::load_machine(name);
    for (const config::Parameter& parameter : config::parameters(machine.params)) {
      if (machine.origins.count(parameter.key) != 0)
        settings.push_back({parameter.key, parameter.value(), machine.origins.at(parameter.key)});
    }
  }
  if (arguments.has("set")) {
    for (const std::string& text : arguments.get<std::vector<std::string>>("set")) settings.push_back(config::parse_set(text));
  }
  return settings;
}

// Experiments of the case study that the command will have; until then it says so.
constexpr const char* kMissing[] = {"E6", "E7"};

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
                      {"systole reproduce E1 --out results", "systole reproduce all --quick --out results"});
  arguments
      .add("out", po::value<std::string>()->value_name("DIR"),
           "directory of the tables (EXPERIMENT.csv, EXPERIMENT.md) and plots")
      .add("machine", po::value<std::string>()->value_name("FILE|PRESET"),
           "what it sets is set on every machine of the experiment, to see how results move")
      .add("set", po::value<std::vector<std::string>>()->value_name("KEY=VALUE"), "the same for one parameter; repeatable")
      .add_switch("quick", "the shortest sequences and fewer variants only")
      .add_switch("quiet", "print errors only")
      .positional("an experiment, or all", 1, 1);
  add_jobs_option(arguments);
  if (!arguments.parse(words)) return kExitDone;

  const std::string& name = arguments.words()[0];
  if (!arguments.has("out")) throw ConfigError("--out DIR is missing");
  Request request;
  request.directory = arguments.get<std::string>("out");
  request.jobs = jobs_option(arguments);
  request.quiet = arguments.has("quiet");
  request.quick = arguments.has("quick");
  request.settings = settings_of(arguments);
  std::string built;
  for (const std::string& each : names) built += (built.empty() ? "" : ", ") + each;
  for (const char* missing : kMissing) {
    if (name == missing) throw ConfigError(fmt::format("experiment {} is not built yet; there are: {}, all", name, built));
  }
  if (name != "all" && std::find(names.begin(), names.end(), name) == names.end()) {
    names.emplace_back("all");
    throw ConfigError(fmt::format("unknown experiment '{}'; nearest: '{}'", name, nearest(name, names)));
  }
  std::error_code error;
  std::filesystem::create_directories(request.directory, error);
  if (error) throw ConfigError(fmt::format("{}: {}", request.directory, error.message()));
  // Before minutes of simulation, not after them.
  if (access(request.directory.c_str(), W_OK) != 0)
    throw ConfigError(fmt::format("{}: {}", request.directory, std::strerror(errno)));
  for (const Experiment& experiment : kExperiments) {
    if (name != "all" && name != experiment.name) continue;
    experiment.run(request);
    // After each, so that an interrupted command leaves a page too.
    if (name == "all") study::write_report(request.studies, request.directory);
  }
  if (name == "all") {
    if (!request.quiet) fmt::print("all experiments on one page: {}/CASE_STUDY.md\n", request.directory);
    std::string missing;
    for (const char* each : kMissing) missing += (missing.empty() ? "" : ", ") + std::string(each);
    fmt::print(stderr, "systole: not built yet, and not part of all: {}\n", missing);
  }
  return kExitDone;
}

}  // namespace systole::app
