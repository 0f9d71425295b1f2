#pragma once
// The result of a run for a reader at a terminal, and for a program.
#include <string>

#include "sim/report/timeline.h"
#include "sim/run/results.h"

namespace systole::report {

struct RunReportOptions {
  bool every_layer = false;   // regions of each layer in their own rows
};

// Regions, accounting of the units, checks, speed.
[[nodiscard]] std::string run_text(const run::Results& results, const RunReportOptions& options = {});

// What a timeline of the run shows beside the units.
[[nodiscard]] Timeline::Run timeline_run(const run::Results& results);

// Only the accounting of the units.
[[nodiscard]] std::string unit_text(const std::vector<hw::UnitAccount>& accounts, Cycle cycles);

// Schema "systole-run 1".
[[nodiscard]] std::string run_json(const run::Results& results, const std::string& version);

}  // namespace systole::report
