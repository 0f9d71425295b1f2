#pragma once
// Does a machine have what a model needs?
#include "kernels/target.h"
#include "workloads/quantise/quantised_model.h"

namespace systole::workloads {

// Throws ConfigError naming every parameter that would have to be set.
void require_functions(const QuantisedModel& model, const kernels::Target& target);

}  // namespace systole::workloads
