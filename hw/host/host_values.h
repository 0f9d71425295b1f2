#pragma once
// What a host operation leaves in memory. Every result is computed in double precision and rounded to fp32 once, so that it does
// not depend on the order of sums.
#include "isa/host_operation.h"
#include "sim/base/memory.h"

namespace systole::hw {

// All ranges of the operation must lie in `memory`.
void compute_host_operation(const isa::HostOperation& operation, Memory& memory);

}  // namespace systole::hw
