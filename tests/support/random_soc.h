#pragma once
// Random memory systems behind the port (memory.model = soc) for random programs.
#include <cstdint>

#include "isa/trace.h"

namespace systole::test {

// The same program on a machine with a random SoC memory: banks, ways, MSHRs, widths, buffers, what the cache holds before, fixed latency or
// DRAM, last-level cache.
[[nodiscard]] isa::Trace on_random_soc(isa::Trace trace, std::uint64_t seed);

}  // namespace systole::test
