#pragma once
// A machine as the user describes it: preset, then a YAML file, then --set; with the origin of every value.
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "hw/params/machine.h"

namespace systole::config {

// One "key=value" and where it stands, for errors ("machine.yaml:14:3", "--set").
struct Setting {
  std::string key;
  std::string value;
  std::string where;
};

struct MachineConfig {
  std::string preset;                           // what the machine starts from
  hw::MachineParams params;
  std::map<std::string, std::string> origins;   // key -> "preset gemmini-2025", "machine.yaml:14:3", "--set"; absent: default
};

// `name`: a preset, or a YAML file with an optional `preset:` key and the parameters, as groups or as dotted keys.
// `sets`: "key=value" each. All errors are collected into one ConfigError, one per line; the machine that is returned can be built.
[[nodiscard]] MachineConfig load_machine(const std::string& name, const std::vector<std::string>& sets = {});

// The same from settings that stand elsewhere (a trace's `machine` line, a point of a sweep), on top of `base`.
[[nodiscard]] MachineConfig change_machine(const MachineConfig& base, const std::vector<Setting>& settings);

[[nodiscard]] MachineConfig preset_machine(const std::string& name);

// What the user has set to another value than the preset's, and what others of the machine's parameters make pointless: one sentence each.
[[nodiscard]] std::vector<std::string> settings_without_effect(const MachineConfig& machine);

// Splits "key=value". Throws ConfigError naming `option` when there is no '='.
[[nodiscard]] Setting parse_set(const std::string& text, const std::string& option = "--set");

// The complete machine as YAML that load_machine reads back, each line with the origin of its value.
[[nodiscard]] std::string dump_yaml(const MachineConfig& machine);

}  // namespace systole::config
