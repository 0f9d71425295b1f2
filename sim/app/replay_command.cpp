#include <ctime>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "isa/expectation.h"
#include "isa/trace.h"
#include "sim/app/arguments.h"
#include "sim/app/exit_code.h"
#include "sim/app/progress.h"
#include "sim/app/simulation_options.h"
#include "sim/app/timeline_option.h"
#include "sim/app/trace_files.h"
#include "sim/base/errors.h"
#include "sim/base/file.h"
#include "sim/base/process_pool.h"
#include "sim/config/presets.h"
#include "sim/config/trace_machine.h"
#include "sim/replay/replay.h"
#include "sim/report/run_report.h"
#include "sim/report/table.h"

namespace systole::app {
namespace {

namespace po = boost::program_options;
using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxListed = 20;   // streams that are not equal, named one by one

struct ReplaySettings {
  SimulationOptions simulation;
  replay::ReplayOptions replay;
  bool expect = true;
  std::optional<config::MachineConfig> machine;   // instead of the trace's own
  std::vector<config::Setting> sets;
  std::vector<std::string> json_paths;            // empty, or one per trace
  TimelineOption timeline;                        // of a single trace
};

// What a stream's process tells this one.
struct StreamResult {
  std::string status;       // "equal", "different", "done" (nothing to compare with), or the error's kind
  std::string detail;       // the first difference, or the error
  std::uint64_t cycles = 0;
  std::uint64_t commands = 0;
  double cpu_seconds = 0;
  std::string report;       // accounting of the units
  std::vector<std::string> warnings;
};

isa::Expectation expectation_of(const TraceFile& file, bool timing_only) {
  const std::string path = isa::expectation_path(file.path);
  if (!std::filesystem::exists(path)) {
    throw ConfigError(fmt::format("{}: no expectation beside it ({}); --no-expect replays without", file.path, path));
  }
  isa::Expectation expectation = isa::read_expectation(path);
  if (timing_only) expectation.checks.reset();
  return expectation;
}

// One stream, in its own process.
std::string replay_one(const TraceFile& file, const std::string& json_path, const ReplaySettings& settings) {
  const isa::Trace trace = isa::read_trace(file.path);
  config::MachineConfig machine = settings.machine ? config::trace_machine(trace, *settings.machine) : config::trace_machine(trace);
  machine = config::change_machine(machine, settings.sets);
  std::optional<isa::Expectation> expected;
  if (settings.expect) expected = expectation_of(file, settings.replay.timing_only);

  const std::unique_ptr<report::Timeline> timeline = settings.timeline.make();
  replay::ReplayOptions options = settings.replay;
  options.state_log = timeline.get();
  const replay::ReplayResult result = replay::replay_trace(trace, machine.params, options);
  if (timeline) settings.timeline.write(*timeline, {fmt::format("{}: {} cycles", file.name, report::grouped(result.run.cycles)), result.run.cycles, {}});
  if (!json_path.empty()) isa::write_expectation(json_path, result.measured);
  const std::string difference = expected ? isa::first_difference(*expected, result.measured) : std::string();
  Json json = {{"status", !expected ? "done" : difference.empty() ? "equal" : "different"},
               {"detail", difference},
               {"cycles", result.measured.cycles},
               {"commands", result.measured.commands},
               {"cpu_seconds", static_cast<double>(std::clock()) / CLOCKS_PER_SEC},
               {"report", report::unit_text(result.run.accounts, result.run.cycles)},
               {"warnings", result.run.warnings}};
  return json.dump();
}

StreamResult stream_result(const TaskResult& task) {
  StreamResult result;
  switch (task.end) {
    case TaskEnd::kDone: {
      const Json json = Json::parse(task.text);
      result.status = json.at("status");
      result.detail = json.at("detail");
      result.cycles = json.at("cycles");
      result.commands = json.at("commands");
      result.cpu_seconds = json.at("cpu_seconds");
      result.report = json.at("report");
      result.warnings = json.at("warnings").get<std::vector<std::string>>();
      return result;
    }
    case TaskEnd::kConfigError: result.status = "bad input"; break;
    case TaskEnd::kModelError: result.status = "misuse"; break;
    case TaskEnd::kInternalError:
    case TaskEnd::kCrashed: result.status = "internal error"; break;
  }
  result.detail = task.text;
  return result;
}

int exit_code(const std::vector<StreamResult>& results) {
  int code = kExitDone;
  const auto raise = [&](int candidate) { code = std::max(code, candidate); };   // the codes are in order of gravity
  for (const StreamResult& result : results) {
    if (result.status == "different") raise(kExitDifferent);
    if (result.status == "bad input") raise(kExitBadInput);
    if (result.status == "misuse") raise(kExitMisuse);
    if (result.status == "internal error") raise(kExitInternalError);
  }
  return code;
}

struct Sums {
  std::size_t streams = 0;
  std::size_t equal = 0;
  std::size_t different = 0;
  std::size_t failed = 0;
  std::uint64_t cycles = 0;
  double cpu_seconds = 0;

  void add(const StreamResult& result) {
    ++streams;
    equal += result.status == "equal" ? 1 : 0;
    different += result.status == "different" ? 1 : 0;
    failed += result.status != "equal" && result.status != "different" && result.status != "done" ? 1 : 0;
    cycles += result.cycles;
    cpu_seconds += result.cpu_seconds;
  }
  [[nodiscard]] std::vector<std::string> cells(const std::string& name) const {
    return {name,
            std::to_string(streams),
            std::to_string(equal),
            std::to_string(different),
            std::to_string(failed),
            report::grouped(cycles),
            fmt::format("{:.1f}", cpu_seconds),
            cpu_seconds == 0 ? "" : fmt::format("{:.2f}", static_cast<double>(cycles) / cpu_seconds / 1e6)};
  }
};

void print_table(const std::vector<TraceFile>& traces, const std::vector<StreamResult>& results) {
  using report::Align;
  report::Table table({{"category"}, {"streams", Align::kRight}, {"equal", Align::kRight}, {"different", Align::kRight}, {"failed", Align::kRight},
                       {"cycles", Align::kRight}, {"CPU s", Align::kRight}, {"Mcycle/s", Align::kRight}});
  std::vector<std::string> order;
  std::map<std::string, Sums> categories;
  Sums all;
  for (std::size_t i = 0; i < traces.size(); ++i) {
    if (categories.count(traces[i].category) == 0) order.push_back(traces[i].category);
    categories[traces[i].category].add(results[i]);
    all.add(results[i]);
  }
  for (const std::string& category : order) table.row(categories[category].cells(category));
  table.rule();
  table.row(all.cells("all"));
  fmt::print("{}", table.text());
}

void print_one(const TraceFile& trace, const StreamResult& result) {
  fmt::print("{}: {} cycles, {} commands", trace.name, report::grouped(result.cycles), report::grouped(result.commands));
  if (result.status == "equal") fmt::print(", equal to the expectation in every key");
  fmt::print("\n\n{}", result.report);
}

// What is not as expected, on standard error.
void print_failures(const std::vector<TraceFile>& traces, const std::vector<StreamResult>& results) {
  std::size_t listed = 0;
  for (std::size_t i = 0; i < traces.size(); ++i) {
    const StreamResult& result = results[i];
    if (result.status == "equal" || result.status == "done") continue;
    if (++listed > kMaxListed) continue;
    // Of many streams only the first line of each: a deadlock describes every unit.
    const std::string detail = traces.size() == 1 ? result.detail : result.detail.substr(0, result.detail.find('\n'));
    fmt::print(stderr, "{}/{}: {}: {}\n", traces[i].category, traces[i].name, result.status, detail);
  }
  if (listed > kMaxListed) fmt::print(stderr, "... and {} more\n", listed - kMaxListed);
}

std::string summary_json(const std::vector<TraceFile>& traces, const std::vector<StreamResult>& results) {
  Json streams = Json::array();
  Sums all;
  for (std::size_t i = 0; i < traces.size(); ++i) {
    all.add(results[i]);
    streams.push_back({{"name", traces[i].name},
                       {"category", traces[i].category},
                       {"status", results[i].status},
                       {"detail", results[i].detail},
                       {"cycles", results[i].cycles},
                       {"warnings", results[i].warnings}});
  }
  return Json{{"schema", "systole-replay 1"}, {"streams", all.streams}, {"equal", all.equal},     {"different", all.different},
              {"failed", all.failed},         {"cycles", all.cycles},   {"results", streams}}
             .dump(2) +
         "\n";
}

ReplaySettings read_settings(const Arguments& arguments) {
  ReplaySettings settings;
  settings.simulation = simulation_options(arguments);
  settings.replay.scheduler = settings.simulation.scheduler;
  settings.replay.granularity = settings.simulation.granularity;
  settings.replay.timing_only = settings.simulation.timing_only;
  settings.replay.max_cycles = arguments.get<std::uint64_t>("max-cycles", settings.replay.max_cycles);
  settings.replay.watchdog = arguments.get<std::uint64_t>("watchdog", settings.replay.watchdog);
  settings.expect = !arguments.has("no-expect");
  if (arguments.has("machine")) settings.machine = config::load_machine(arguments.get<std::string>("machine"));
  for (const std::string& text : arguments.get<Words>("set", {})) settings.sets.push_back(config::parse_set(text));
  return settings;
}

void create_directories(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    std::error_code error;
    const std::filesystem::path directory = std::filesystem::path(file).parent_path();
    std::filesystem::create_directories(directory, error);
    if (error) throw ConfigError(fmt::format("cannot create directory '{}': {}", directory.string(), error.message()));
  }
}

}  // namespace

int run_replay(const Words& words) {
  Arguments arguments("systole replay TRACE|DIRECTORY... [options]",
                      "Replays RoCC command streams at the accelerator's port and compares every key with X.expect.json beside each trace: cycles, fences, "
                      "acceptance, port traffic and memory. A stream runs on the machine that its `machine` line names unless --machine is given.",
                      {"systole replay stream.trace", "systole replay tests/data/rtl --jobs 2", "systole replay stream.trace --no-expect --set dma.max_in_flight=32",
                       "systole replay streams/ --json-dir results/"});
  arguments.add_switch("no-expect", "compare with nothing")
      .add("json-dir", po::value<std::string>()->value_name("DIR"),
           "write DIR/NAME.json for each trace, with the keys of an expectation (DIR/CATEGORY/NAME.json where names repeat)")
      .add("max-cycles", po::value<std::uint64_t>()->value_name("N"), "end a stream that takes longer (default: 1000000000)")
      .add("watchdog", po::value<std::uint64_t>()->value_name("N"),
           "end a stream in which no command is issued or completes for N cycles (default: 10000000; 0: never)")
      .positional("a trace or directory", 1, -1);
  add_timeline_options(arguments);
  add_machine_options(arguments, "the trace's");
  add_simulation_options(arguments);
  add_jobs_option(arguments);
  if (!arguments.parse(words)) return kExitDone;

  ReplaySettings settings = read_settings(arguments);
  const int jobs = jobs_option(arguments);
  const std::vector<TraceFile> traces = find_traces(arguments.words());
  settings.timeline = timeline_option(arguments);
  if (!settings.timeline.file.empty() && traces.size() != 1) throw ConfigError(fmt::format("--timeline: shows one stream, not {}", traces.size()));
  if (arguments.has("json-dir")) {
    settings.json_paths = result_paths(traces, arguments.get<std::string>("json-dir"));
    create_directories(settings.json_paths);
  }

  std::vector<StreamResult> results(traces.size());
  Progress progress("streams", traces.size(), !settings.simulation.quiet);
  std::size_t done = 0;
  run_tasks(
      traces.size(), jobs,
      [&](std::size_t index) {
        return replay_one(traces[index], settings.json_paths.empty() ? std::string() : settings.json_paths[index], settings);
      },
      [&](std::size_t index, const TaskResult& task) {
        results[index] = stream_result(task);
        progress.update(++done, traces[index].category + "/" + traces[index].name);
      });
  progress.clear();

  if (settings.simulation.prints_report()) {
    if (traces.size() == 1 && results[0].cycles != 0) {
      print_one(traces[0], results[0]);
    } else {
      print_table(traces, results);
    }
  }
  for (std::size_t i = 0; i < traces.size() && !settings.simulation.quiet; ++i) {
    for (const std::string& warning : results[i].warnings) fmt::print(stderr, "systole: warning: {}: {}\n", traces[i].name, warning);
  }
  if (!settings.simulation.json.empty()) write_result(settings.simulation.json, summary_json(traces, results));
  std::fflush(stdout);
  print_failures(traces, results);
  return exit_code(results);
}

}  // namespace systole::app
