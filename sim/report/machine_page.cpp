#include "sim/report/machine_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "hw/params/derived.h"
#include "sim/config/parameters.h"
#include "sim/config/presets.h"
#include "sim/report/table.h"

namespace systole::report {
namespace {

using config::MachineConfig;
using config::Parameter;

// Numbers that follow from the parameters (hw/params/derived.h).
Table derived_table(const hw::MachineParams& m) {
  Table table({{"follows from the parameters"}, {"value", Align::kRight}});
  table.row({"scratchpad rows (of array.dim bytes)", std::to_string(hw::scratchpad_rows(m))});
  table.row({"accumulator rows (of array.dim 32-bit words)", std::to_string(hw::accumulator_rows(m))});
  table.row({"largest mvin or mvout into the scratchpad, columns", std::to_string(hw::max_block_len(m) * m.array.dim)});
  table.row({"largest mvin or mvout of 32-bit words, columns", std::to_string(hw::max_block_len_acc(m) * m.array.dim)});
  table.row({"loads, and stores, in flight", std::to_string(hw::command_trackers(m))});
  table.row({"cycles from a row's entry into the array to its result", std::to_string(hw::array_latency(m))});
  table.row({"multiply-accumulates per cycle", std::to_string(m.array.dim * m.array.dim)});
  return table;
}

std::string default_of(const std::string& key) {
  const hw::MachineParams reference;
  for (const Parameter& parameter : config::parameters(reference)) {
    if (parameter.key == key) return parameter.value();
  }
  return {};
}

}  // namespace

std::string machine_text(const MachineConfig& machine) {
  std::string text = fmt::format("machine {}\n", machine.preset);
  std::string group = "-";
  for (const Parameter& parameter : config::parameters(machine.params)) {
    if (parameter.group != group) text += "\n";
    group = parameter.group;
    const auto origin = machine.origins.find(parameter.key);
    text += fmt::format("{:<27} {:>7}   default {}; legal {}{}\n", parameter.key, parameter.value(), default_of(parameter.key), parameter.legal(),
                        origin == machine.origins.end() ? "" : "; set by " + origin->second);
    text += fmt::format("    {}  [{}]\n", parameter.meaning, parameter.source);
  }
  return text + "\n" + derived_table(machine.params).text();
}

std::string machine_markdown() {
  const MachineConfig machine = config::preset_machine(config::kReferencePreset);
  Table table({{"parameter"}, {"default", Align::kRight}, {"legal"}, {"meaning"}, {"source"}});
  for (const Parameter& parameter : config::parameters(machine.params)) {
    table.row({"`" + parameter.key + "`", parameter.value(), parameter.legal(), parameter.meaning, parameter.source});
  }
  Table preset_table({{"preset"}, {"is"}, {"changed settings"}});
  for (const config::Preset& preset : config::presets()) {
    preset_table.row({std::string("`") + preset.name + "`", preset.text,
                      preset.settings.empty() ? "" : fmt::format("`{}`", fmt::join(preset.settings, " "))});
  }
  return fmt::format(
      "# Parameters of the machine\n\n"
      "Made by `systole show machine --markdown`; do not edit. Set a parameter with `--set key=value`, or in a YAML file for `--machine`.\n\n"
      "{}\nWhat follows from the defaults:\n\n{}\n# Presets\n\n{}",
      table.markdown(), derived_table(machine.params).markdown(), preset_table.markdown());
}

std::string machine_difference(const MachineConfig& a, const std::string& name_a, const MachineConfig& b, const std::string& name_b) {
  Table table({{"parameter"}, {name_a, Align::kRight}, {name_b, Align::kRight}, {"meaning"}});
  const auto left = config::parameters(a.params);
  const auto right = config::parameters(b.params);
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left[i].value() != right[i].value()) table.row({left[i].key, left[i].value(), right[i].value(), left[i].meaning});
  }
  if (table.empty()) return fmt::format("{} and {} are equal in all {} parameters\n", name_a, name_b, left.size());
  return table.text();
}

std::string preset_text() {
  std::string text;
  for (const config::Preset& preset : config::presets()) {
    text += fmt::format("{:<16} {}\n", preset.name, preset.text);
    if (!preset.settings.empty()) text += fmt::format("{:<16} = {} with {}\n", "", preset.base, fmt::join(preset.settings, " "));
  }
  return text + "\n`systole show machine --machine NAME` shows one, `systole show machine --diff A B` compares two.\n";
}

}  // namespace systole::report
