#pragma once
// The memory that an operation of the CPU touches, row by row in the order of its loops.
#include <vector>

#include "hw/ports/host_access.h"
#include "isa/host_operation.h"

namespace systole::hw {

// At least one; the last one is marked.
[[nodiscard]] std::vector<HostAccess> accesses_of(const isa::HostOperation& operation);

}  // namespace systole::hw
