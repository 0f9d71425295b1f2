#pragma once
// What a program can see of a configured machine, for the static checks and the oracle.
#include "hw/params/machine.h"
#include "isa/geometry.h"

namespace systole::config {

[[nodiscard]] isa::Geometry geometry_of(const hw::MachineParams& params);

}  // namespace systole::config
