#pragma once
// Random execute programs that mean what they say: no hazards, results in rows that are not read again. With the result computed by plain
// integer arithmetic, command by command.
#include <cstdint>
#include <random>
#include <vector>

#include "tests/module/execute/execute_bench.h"

namespace systole::hw {

struct RandomProgram {
  std::vector<IssuedCommand> commands;
  std::vector<Cycle> at;                        // earliest cycle of each command
  std::vector<std::int8_t> operands;            // initial scratchpad
  std::vector<std::int8_t> scratchpad;          // expected
  std::vector<std::int32_t> accumulator;
};

struct ProgramStyle {
  bool weight_stationary = true;
  bool transposes = false;
  bool partial = true;                          // tiles smaller than the array
  bool scratchpad_results = true;
  bool extreme = false;                         // operands -128, so that sums wrap
};

RandomProgram make_program(const MachineParams& params, unsigned seed, int tiles, const ProgramStyle& style);

}  // namespace systole::hw
