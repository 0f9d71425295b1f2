#pragma once
// Comparison of stored results of single operations with the machine: those that instructions leave in memory by a simulated program, the words
// inside of an operation (shift.y, igelu.N.y, iexp.N.y, sm.N.sum) by the arithmetic that the machine computes with.
#include "workloads/lower/unit_vectors.h"
#include "workloads/lower/validate.h"

namespace systole::run {

[[nodiscard]] workloads::Comparison validate_units(const workloads::SafetensorsFile& file, const kernels::Target& target, const workloads::Machine& machine);

}  // namespace systole::run
