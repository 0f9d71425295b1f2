#include "sim/app/simulation_options.h"

#include <thread>

#include <fmt/core.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "sim/base/errors.h"
#include "sim/base/file.h"

namespace systole::app {

namespace po = boost::program_options;

namespace {

constexpr SchedulerMode kModes[] = {SchedulerMode::kFast, SchedulerMode::kNative, SchedulerMode::kEveryCycle};

void set_log_level(const std::string& name) {
  const std::vector<std::string> levels = {"trace", "debug", "info", "warn", "error", "off"};
  for (const std::string& level : levels) {
    if (level != name) continue;
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("systole", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
    spdlog::set_pattern("systole: %l: %v");
    spdlog::set_level(spdlog::level::from_str(name));
    return;
  }
  throw ConfigError(fmt::format("--log {}: unknown level; nearest: '{}' (trace, debug, info, warn, error, off)", name, nearest(name, levels)));
}

}  // namespace

const char* name_of(SchedulerMode mode) {
  switch (mode) {
    case SchedulerMode::kFast: return "fast";
    case SchedulerMode::kNative: return "native";
    case SchedulerMode::kEveryCycle: return "every-cycle";
  }
  return "";
}

void add_machine_options(Arguments& arguments, const char* default_machine) {
  static const std::string text = "preset or YAML file; `systole show presets` lists the presets";
  arguments.add("machine", po::value<std::string>()->value_name("FILE|PRESET"), (text + " (default: " + default_machine + ")").c_str())
      .add("set", po::value<Words>()->composing()->value_name("KEY=VALUE"), "change a parameter of the machine; repeatable");
}

config::MachineConfig machine_option(const Arguments& arguments, const char* default_machine) {
  return config::load_machine(arguments.get<std::string>("machine", default_machine), arguments.get<Words>("set", {}));
}

void add_simulation_options(Arguments& arguments) {
  arguments.add_switch("timing-only", "cycles without values (the cycles are the same)")
      .add("scheduler", po::value<std::string>()->value_name("fast|native|every-cycle"), "who calls the units; the result is the same (default: fast)")
      .add("granularity", po::value<std::string>()->value_name("runs|row"), "rows that follow one another at once or one by one; the result is the same (default: runs)")
      .add("json", po::value<std::string>()->value_name("FILE"), "write the result as JSON; - is standard output")
      .add_switch("quiet", "print errors only")
      .add("log", po::value<std::string>()->value_name("LEVEL"), "trace, debug, info, warn, error or off (default: warn)");
}

SimulationOptions simulation_options(const Arguments& arguments) {
  SimulationOptions options;
  options.timing_only = arguments.has("timing-only");
  options.json = result_file(arguments, "json");
  options.quiet = arguments.has("quiet");
  set_log_level(arguments.get<std::string>("log", "warn"));
  const std::string granularity = arguments.get<std::string>("granularity", "runs");
  if (granularity != "runs" && granularity != "row") {
    throw ConfigError(fmt::format("--granularity {}: unknown; nearest: '{}'", granularity, nearest(granularity, {"runs", "row"})));
  }
  options.granularity = granularity == "row" ? Granularity::kRow : Granularity::kRuns;
  const std::string name = arguments.get<std::string>("scheduler", "fast");
  std::vector<std::string> names;
  for (const SchedulerMode mode : kModes) {
    names.emplace_back(name_of(mode));
    if (name == name_of(mode)) {
      options.scheduler = mode;
      return options;
    }
  }
  throw ConfigError(fmt::format("--scheduler {}: unknown; nearest: '{}'", name, nearest(name, names)));
}

int processors() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }

void add_jobs_option(Arguments& arguments) {
  arguments.add("jobs", po::value<int>()->value_name("N"), "processes at a time (default: the number of processors)");
}

int jobs_option(const Arguments& arguments) {
  const int jobs = arguments.get<int>("jobs", processors());
  if (jobs < 1 || jobs > 1024) throw ConfigError(fmt::format("--jobs {} is outside of 1..1024", jobs));
  return jobs;
}

std::string result_file(const Arguments& arguments, const char* option) {
  std::string file = arguments.get<std::string>(option, "");
  if (!file.empty() && file != "-") check_writable(file);
  return file;
}

void write_result(const std::string& file, const std::string& text) {
  if (file == "-") {
    fmt::print("{}", text);
  } else {
    write_atomically(file, text);
  }
}

}  // namespace systole::app
