#pragma once
#include <string>
#include <vector>

#include "sim/study/sweep.h"

namespace systole::study {

// One row per point: the sweep's keys, workload, status, cycles, utilization, energy_pj, cpu_seconds, sizes of the workload.
[[nodiscard]] std::string table_csv(const Sweep& sweep, const std::vector<PointResult>& results);

}  // namespace systole::study
