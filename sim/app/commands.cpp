#include "sim/app/commands.h"

#include "sim/app/reproduce_command.h"
#include "sim/app/stream_command.h"

namespace systole::app {

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      {"asm", "assemble a program's text into the binary container", run_asm},
      {"disasm", "print a binary container as text", run_disasm},
      {"show", "explain what the tool knows: machine, presets, workloads, isa", run_show},
      {"reproduce", "repeat a published study beside its numbers", run_reproduce},
      {"stream", "simulate attention on a streaming-dataflow machine", run_stream},
  };
  return table;
}

}  // namespace systole::app
