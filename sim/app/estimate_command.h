#pragma once
// systole estimate MODEL: time and traffic from the survey's analytical model, without a simulation.
#include "sim/app/commands.h"

namespace systole::app {

int run_estimate(const Words& words);

}  // namespace systole::app
