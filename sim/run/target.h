#pragma once
// What the kernel library may know of a machine.
#include "hw/params/machine.h"
#include "kernels/target.h"

namespace systole::run {

[[nodiscard]] kernels::Target target_of(const hw::MachineParams& params);

}  // namespace systole::run
