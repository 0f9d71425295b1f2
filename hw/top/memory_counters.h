#pragma once
// What the SoC's memory system counted, as a report names it. Of those that stand in it: CPU traffic, last-level cache, DRAM.
#include <vector>

#include "hw/top/machine_result.h"

namespace systole::hw {

class SocMemory;

[[nodiscard]] std::vector<Counter> memory_counters(const SocMemory& memory);

}  // namespace systole::hw
