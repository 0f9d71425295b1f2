#pragma once
// Options that every command with a simulation takes.
#include <string>

#include "sim/app/arguments.h"
#include "sim/config/machine_config.h"
#include "sim/kernel/scheduler_mode.h"

namespace systole::app {

struct SimulationOptions {
  SchedulerMode scheduler = SchedulerMode::kFast;
  Granularity granularity = Granularity::kRuns;
  bool timing_only = false;
  std::string json;        // file; "-" is standard output; empty: none
  bool quiet = false;      // no report, no progress

  // The report goes to standard output unless that is taken by JSON.
  [[nodiscard]] bool prints_report() const { return !quiet && json != "-"; }
};

// --machine and --set.
void add_machine_options(Arguments& arguments, const char* default_machine);
[[nodiscard]] config::MachineConfig machine_option(const Arguments& arguments, const char* default_machine);

// --timing-only, --scheduler, --granularity, --json, --quiet, --log.
void add_simulation_options(Arguments& arguments);
// Also sets the level of the log. Throws ConfigError.
[[nodiscard]] SimulationOptions simulation_options(const Arguments& arguments);

[[nodiscard]] int processors();
// --jobs, at least 1; the default is the number of processors.
void add_jobs_option(Arguments& arguments);
[[nodiscard]] int jobs_option(const Arguments& arguments);

// The file of an option such as --json, or "": "-" (standard output) or a file that can be written; throws ConfigError before the work begins.
[[nodiscard]] std::string result_file(const Arguments& arguments, const char* option);
// Writes to `file` as a whole, or to standard output when it is "-".
void write_result(const std::string& file, const std::string& text);

[[nodiscard]] const char* name_of(SchedulerMode mode);

}  // namespace systole::app
