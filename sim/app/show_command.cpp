#include <fmt/core.h>

#include "isa/instruction.h"
#include "sim/app/arguments.h"
#include "sim/app/exit_code.h"
#include "sim/app/simulation_options.h"
#include "sim/base/errors.h"
#include "sim/config/machine_config.h"
#include "sim/config/presets.h"
#include "sim/report/isa_page.h"
#include "sim/report/machine_page.h"
#include "sim/report/stats_page.h"
#include "sim/report/workload_page.h"
#include "sim/run/simulation.h"

namespace systole::app {
namespace {

namespace po = boost::program_options;

void expect_no_name(const Words& words) {
  if (words.size() > 1) throw ConfigError(fmt::format("unexpected argument '{}' after '{}'", words[1], words[0]));
}

void show_machine(const Arguments& arguments) {
  if (arguments.has("diff")) {
    const Words& sides = arguments.words();
    if (sides.size() != 3) throw ConfigError("--diff needs two machines: systole show machine --diff A B");
    fmt::print("{}", report::machine_difference(config::load_machine(sides[1]), sides[1], config::load_machine(sides[2]), sides[2]));
    return;
  }
  expect_no_name(arguments.words());
  if (arguments.has("markdown")) {
    fmt::print("{}", report::machine_markdown());
    return;
  }
  const config::MachineConfig machine =
      config::load_machine(arguments.get<std::string>("machine", config::kReferencePreset), arguments.get<Words>("set", {}));
  fmt::print("{}", arguments.has("yaml") ? config::dump_yaml(machine) : report::machine_text(machine));
}

void show_isa(const Arguments& arguments) {
  const Words& words = arguments.words();
  if (words.size() > 2) throw ConfigError(fmt::format("unexpected argument '{}'", words[2]));
  if (arguments.has("markdown")) {
    fmt::print("{}", report::isa_markdown());
  } else {
    fmt::print("{}", words.size() == 2 ? report::instruction_text(words[1]) : report::isa_text());
  }
}

// The statistics are those that a run without commands leaves behind.
void show_stats(const Arguments& arguments) {
  Memory memory;
  run::SimulationSettings settings;
  settings.timing_only = true;
  fmt::print("{}", report::stats_text(run::simulate(isa::Program{}, memory, machine_option(arguments, config::kDefaultPreset), settings).machine));
}

}  // namespace

int run_show(const Words& words) {
  Arguments arguments("systole show machine|presets|workloads|stats|isa [NAME]",
                      "Explains what the tool knows. machine: every parameter with value, default, legal values, meaning and source. presets: the machines that "
                      "have a name. workloads: the models that have a name. stats: what every unit counts. isa: the instruction set, or one instruction with its fields.",
                      {"systole show machine", "systole show machine --machine survey --set dma.max_in_flight=32 --yaml > my_machine.yaml",
                       "systole show machine --diff gemmini-2023 gemmini-2025", "systole show presets", "systole show workloads", "systole show stats", "systole show isa", "systole show isa mvin"});
  arguments.add("machine", po::value<std::string>(), "preset or YAML file (default: gemmini-2023)")
      .add("set", po::value<Words>()->composing(), "key=value: change a parameter; repeatable")
      .add_switch("diff", "machine: only the parameters in which two machines differ")
      .add_switch("yaml", "machine: as a file for --machine")
      .add_switch("markdown", "machine, isa: as a page")
      .positional("what to show (machine, presets, workloads, stats, isa)", 1, 3);
  if (!arguments.parse(words)) return kExitDone;

  const std::string& topic = arguments.words()[0];
  if (topic == "machine") {
    show_machine(arguments);
  } else if (topic == "isa") {
    show_isa(arguments);
  } else if (topic == "presets") {
    expect_no_name(arguments.words());
    fmt::print("{}", report::preset_text());
  } else if (topic == "workloads") {
    expect_no_name(arguments.words());
    fmt::print("{}", report::workloads_text());
  } else if (topic == "stats") {
    expect_no_name(arguments.words());
    show_stats(arguments);
  } else {
    throw ConfigError(fmt::format("unknown topic '{}'; nearest: '{}'", topic, nearest(topic, {"machine", "presets", "workloads", "stats", "isa"})));
  }
  return kExitDone;
}

}  // namespace systole::app
