// Runs recorded streams under every scheduler, with units registered in reversed order, row by row and without values, and compares
// everything a run leaves: what the expectation file records, accounts of all units, counters, regions, warnings.
//   equivalence_check AT_MOST_CYCLES JOBS TRACE|DIRECTORY...
// Streams that take longer than AT_MOST_CYCLES (by their expectation) are left out. Exit code 1 when a run differs.
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "isa/expectation.h"
#include "isa/trace.h"
#include "sim/app/trace_files.h"
#include "sim/base/process_pool.h"
#include "sim/config/trace_machine.h"
#include "sim/replay/replay.h"
#include "tests/support/run_text.h"

using namespace systole;

namespace {

struct Mode {
  const char* name;
  SchedulerMode scheduler;
  bool reversed;
  bool timing_only;
  Granularity granularity = Granularity::kRuns;
};

// The first is the one that the others are compared with.
constexpr Mode kModes[] = {
    {"fast", SchedulerMode::kFast, false, false},
    {"fast, reversed order", SchedulerMode::kFast, true, false},
    {"native", SchedulerMode::kNative, false, false},
    {"native, reversed order", SchedulerMode::kNative, true, false},
    {"every cycle", SchedulerMode::kEveryCycle, false, false},
    {"every cycle, reversed order", SchedulerMode::kEveryCycle, true, false},
    {"row by row", SchedulerMode::kFast, false, false, Granularity::kRow},
    {"row by row, native", SchedulerMode::kNative, false, false, Granularity::kRow},
    {"timing only", SchedulerMode::kFast, false, true},
};

// One line per number. Without values: what a run without values has too.
std::string describe(replay::ReplayResult result, bool with_values) {
  std::ostringstream out;
  if (!with_values) result.measured.checks.reset();
  out << isa::format_expectation(result.measured) << '\n';
  test::append_accounts(out, result.run.accounts);
  test::append_regions(out, result.run.regions);
  // Counters of overflows need values; wake-ups are what the schedulers differ in.
  for (const hw::Counter& counter : result.run.counters) {
    if (with_values || counter.name.find("overflow") == std::string::npos) out << counter.name << ' ' << counter.value << '\n';
  }
  for (const std::string& warning : result.run.warnings) out << warning << '\n';
  return out.str();
}

std::string run(const std::string& path, const Mode& mode) {
  const isa::Trace trace = isa::read_trace(path);
  replay::ReplayOptions options;
  options.scheduler = mode.scheduler;
  options.reverse_order = mode.reversed;
  options.timing_only = mode.timing_only;
  options.granularity = mode.granularity;
  const hw::MachineParams params = config::trace_machine(trace).params;
  // A division of 0 is fast: what the faulty exponential of revision 2025 often leads to.
  if (mode.timing_only && params.sfu.normaliser != 0 && params.sfu.iexp_as_igelu != 0) return "";
  replay::ReplayResult result = replay::replay_trace(trace, params, options);
  const std::string without = describe(result, false);
  return mode.timing_only ? without : without + '\0' + describe(std::move(result), true);
}

}  // namespace

// libsystemc has a main() of its own that calls sc_main(); it is never called.
extern "C" int sc_main(int, char**) { return 1; }

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: equivalence_check AT_MOST_CYCLES JOBS TRACE|DIRECTORY...\n";
    return 2;
  }
  const std::uint64_t at_most = std::strtoull(argv[1], nullptr, 10);
  std::vector<std::string> paths;
  for (const app::TraceFile& file : app::find_traces({argv + 3, argv + argc})) {
    if (isa::read_expectation(isa::expectation_path(file.path)).cycles <= at_most) paths.push_back(file.path);
  }
  constexpr std::size_t kModeCount = std::size(kModes);
  std::vector<TaskResult> results(paths.size() * kModeCount);
  run_tasks(
      results.size(), std::atoi(argv[2]), [&](std::size_t i) { return run(paths[i / kModeCount], kModes[i % kModeCount]); },
      [&](std::size_t i, const TaskResult& result) { results[i] = result; });

  std::size_t different = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const TaskResult& reference = results[i - i % kModeCount];
    std::string expected = reference.text;
    if (kModes[i % kModeCount].timing_only) expected = expected.substr(0, expected.find('\0'));
    const bool ran = reference.end == TaskEnd::kDone && results[i].end == TaskEnd::kDone;
    const bool skipped = kModes[i % kModeCount].timing_only && results[i].text.empty();
    if (ran && (skipped || results[i].text == expected)) continue;
    ++different;
    std::cout << paths[i / kModeCount] << ": " << kModes[i % kModeCount].name << ": "
              << (ran ? test::first_difference(expected, results[i].text) : results[i].text) << '\n';
  }
  std::cout << paths.size() << " streams, " << kModeCount << " ways to run each: " << different << " runs differ\n";
  return different == 0 && !paths.empty() ? 0 : 1;
}
