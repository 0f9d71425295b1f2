#include "sim/app/commands.h"

#include "sim/app/estimate_command.h"
#include "sim/app/reproduce_command.h"
#include "sim/app/stream_command.h"

namespace systole::app {

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      {"run", "simulate a workload: values, cycles, and where they went", run_run},
      {"replay", "replay RoCC command streams and compare with the RTL's expectation", run_replay},
      {"validate", "compare every stored boundary of a quantised model bit by bit", run_validate},
      {"quantize", "float checkpoint in, quantised model out", run_quantize},
      {"sweep", "simulate every point of a parameter grid or list", run_sweep},
      {"asm", "assemble a program's text into the binary container", run_asm},
      {"disasm", "print a binary container as text", run_disasm},
      {"show", "explain what the tool knows: machine, presets, workloads, stats, isa", run_show},
      {"reproduce", "repeat a published study beside its numbers", run_reproduce},
      {"estimate", "time and traffic of a Transformer from an analytical model", run_estimate},
      {"stream", "simulate attention on a streaming-dataflow machine", run_stream},
  };
  return table;
}

}  // namespace systole::app
