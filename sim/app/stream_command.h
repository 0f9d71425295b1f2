#pragma once
// systole stream GRAPH: one streaming-dataflow graph, in time and in values.
#include "sim/app/commands.h"

namespace systole::app {

int run_stream(const Words& words);

}  // namespace systole::app
