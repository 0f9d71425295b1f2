#include "sim/app/commands.h"

namespace systole::app {

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      {"show", "explain what the tool knows: machine, presets, workloads, isa", run_show},
  };
  return table;
}

}  // namespace systole::app
