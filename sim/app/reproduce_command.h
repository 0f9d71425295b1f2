#pragma once
// systole reproduce EXPERIMENT --out DIR: a published study on our simulator, next to its published numbers.
#include "sim/app/commands.h"

namespace systole::app {

int run_reproduce(const Words& words);

}  // namespace systole::app
