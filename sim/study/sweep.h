#pragma once
// A sweep: workloads on machines that differ in a grid or list of parameters. Every point is checked before the first one runs;
// each runs in its own process and leaves a file, so that an interrupted sweep goes on where it stopped.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/config/machine_config.h"
#include "sim/run/request.h"

namespace systole::study {

struct SweepPoint {
  run::WorkloadRequest workload;
  config::MachineConfig machine;
};

struct Sweep {
  std::vector<std::string> keys;     // parameters that the grid or list names, in order of appearance
  bool timing_only = false;
  std::vector<SweepPoint> points;    // workloads outside, parameters inside; the last key varies fastest
};

// The machine of all points before grid or list change it, as the command line wants it: instead of the file's, and settings on top.
struct SweepMachine {
  std::string name;                  // empty: the file's
  std::vector<std::string> settings; // "key=value"
};

// Keys: machine, workloads, timing_only, and one of grid, list. Throws ConfigError with all errors.
[[nodiscard]] Sweep read_sweep(const std::string& path, const SweepMachine& machine = {});
[[nodiscard]] Sweep parse_sweep(const std::string& text, const std::string& name, const SweepMachine& machine = {});

// What a point's row says besides its parameters.
struct PointResult {
  std::string status = "ok";         // "ok", "mismatch", "refused: ...", "misuse: ...", "failed: ..."
  std::uint64_t cycles = 0;
  std::uint64_t macs = 0;
  double utilization = 0;
  double energy_pj = -1;             // negative: not computed
  double cpu_seconds = 0;
};

struct SweepOptions {
  std::string directory;
  int jobs = 1;
  std::string version;               // of the program: a result of another version is computed again
};

struct SweepOutcome {
  std::size_t points = 0;
  std::size_t reused = 0;
  std::vector<PointResult> results;  // in the order of the points
};

// Runs what is missing and writes DIRECTORY/results.csv and results.json. `simulate` runs in the point's own process; `progress` is called
// after each point with the number that are done.
SweepOutcome run_sweep(const Sweep& sweep, const SweepOptions& options, const std::function<PointResult(const SweepPoint&)>& simulate,
                       const std::function<void(std::size_t)>& progress);

// The rows for a reader at a terminal, and as JSON (schema "systole-sweep 1").
[[nodiscard]] std::string table_text(const Sweep& sweep, const std::vector<PointResult>& results);
[[nodiscard]] std::string table_json(const Sweep& sweep, const std::vector<PointResult>& results, const std::string& version);

}  // namespace systole::study
