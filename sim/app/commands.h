#pragma once
// The subcommands: one function and one file each. A function gets the words behind the subcommand's name and returns the exit code.
#include <string>
#include <vector>

namespace systole::app {

using Words = std::vector<std::string>;

struct Command {
  const char* name;
  const char* summary;
  int (*run)(const Words& words);
};

[[nodiscard]] const std::vector<Command>& commands();

int run_asm(const Words& words);
int run_disasm(const Words& words);
int run_quantize(const Words& words);
int run_replay(const Words& words);
int run_run(const Words& words);
int run_validate(const Words& words);
int run_sweep(const Words& words);
int run_show(const Words& words);

}  // namespace systole::app
