#include <filesystem>

#include <fmt/core.h>

#include "isa/assembler.h"
#include "isa/container.h"
#include "isa/legality.h"
#include "sim/app/arguments.h"
#include "sim/app/exit_code.h"
#include "sim/app/simulation_options.h"
#include "sim/base/errors.h"
#include "sim/base/file.h"
#include "sim/config/geometry.h"
#include "sim/config/presets.h"

namespace systole::app {
namespace {

namespace po = boost::program_options;

std::string with_extension(const std::string& path, const char* extension) {
  return std::filesystem::path(path).replace_extension(extension).string();
}

// Prints what is wrong with the program on that machine. Returns whether nothing is.
bool legal(const isa::Program& program, const config::MachineConfig& machine) {
  bool good = true;
  isa::Geometry geometry = config::geometry_of(machine.params);
  geometry.loop_conv_encoding = program.encoding.loop_conv;
  for (const isa::Finding& finding : isa::check_legality(program, geometry)) {
    fmt::print(stderr, "systole: {}\n", isa::to_string(finding));
    good = good && finding.severity != isa::Finding::Severity::kError;
  }
  return good;
}

}  // namespace

int run_asm(const Words& words) {
  Arguments arguments("systole asm PROGRAM.s [-o FILE]",
                      "Assembles a program into the binary container. With --machine the program is also checked against that machine: rows, sizes and "
                      "addresses that it does not have are errors (exit code 3). `systole show isa` lists the instructions.",
                      {"systole asm program.s -o program.systole", "systole asm program.s --machine survey"});
  arguments.add("output,o", po::value<std::string>()->value_name("FILE"), "container to write (default: PROGRAM.systole)")
      .positional("the program", 1, 1);
  add_machine_options(arguments, "no check");
  if (!arguments.parse(words)) return kExitDone;

  const std::string& input = arguments.words()[0];
  const isa::Program program = isa::assemble(read_file(input), input);
  if ((arguments.has("machine") || arguments.has("set")) && !legal(program, machine_option(arguments, config::kReferencePreset))) return kExitMisuse;
  isa::write_container(arguments.get<std::string>("output", with_extension(input, ".systole")), program);
  return kExitDone;
}

int run_disasm(const Words& words) {
  Arguments arguments("systole disasm PROGRAM.systole [-o FILE]",
                      "Prints a binary container as text that `systole asm` reads back to the same program.",
                      {"systole disasm program.systole", "systole disasm program.systole -o program.s"});
  arguments.add("output,o", po::value<std::string>()->value_name("FILE"), "text to write (default: standard output)").positional("the container", 1, 1);
  if (!arguments.parse(words)) return kExitDone;
  write_result(arguments.get<std::string>("output", "-"), isa::disassemble(isa::read_container(arguments.words()[0])));
  return kExitDone;
}

}  // namespace systole::app
