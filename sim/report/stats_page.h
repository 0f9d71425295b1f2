#pragma once
// The statistics of a machine for readers: states of the units, and counters.
#include <string>

#include "hw/top/machine_result.h"

namespace systole::report {

// `example`: the result of any run on the machine; its numbers are not shown.
[[nodiscard]] std::string stats_text(const hw::MachineResult& example);

}  // namespace systole::report
