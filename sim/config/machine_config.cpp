#include "sim/config/machine_config.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "sim/base/yaml.h"
#include "sim/config/parameters.h"
#include "sim/config/presets.h"

namespace systole::config {
namespace {

using Errors = std::vector<std::string>;

[[noreturn]] void fail(const Errors& errors) {
  std::string text;
  for (const std::string& error : errors) text += (text.empty() ? "" : "\n") + error;
  throw ConfigError(text);
}

const Parameter* find(const std::vector<Parameter>& list, const std::string& key) {
  for (const Parameter& parameter : list) {
    if (parameter.key == key) return &parameter;
  }
  return nullptr;
}

std::map<std::string, std::string> values(const hw::MachineParams& params) {
  std::map<std::string, std::string> result;
  for (const Parameter& parameter : parameters(params)) result[parameter.key] = parameter.value();
  return result;
}

// A revision sets the behaviour switches of its year, which other settings of the same layer may change again.
void apply_revision(MachineConfig& machine, const Setting& setting, const std::string& origin, Errors& errors) {
  const std::string error = find(parameters(machine.params), "revision")->assign(setting.value);
  if (!error.empty()) {
    errors.push_back(setting.where + ": error: " + error);
    return;
  }
  const auto before = values(machine.params);
  hw::apply_revision(machine.params, machine.params.revision);
  for (const auto& [key, value] : values(machine.params)) {
    if (value != before.at(key)) machine.origins[key] = fmt::format("revision {}, {}", machine.params.revision, origin);
  }
  machine.origins["revision"] = origin;
}

// One layer of settings; `origin` overrides the settings' own place in the record of origins (presets).
void apply(MachineConfig& machine, const std::vector<Setting>& settings, const std::string& origin, Errors& errors) {
  const std::vector<Parameter> list = parameters(machine.params);
  for (const Setting& setting : settings) {
    if (setting.key == "revision") apply_revision(machine, setting, origin.empty() ? setting.where : origin, errors);
  }
  std::map<std::string, std::string> seen;
  for (const Setting& setting : settings) {
    if (const auto [first, inserted] = seen.emplace(setting.key, setting.where); !inserted) {
      errors.push_back(fmt::format("{}: error: key '{}' is set twice (also {})", setting.where, setting.key, first->second));
      continue;
    }
    if (setting.key == "revision") continue;
    const Parameter* parameter = find(list, setting.key);
    if (parameter == nullptr) {
      errors.push_back(fmt::format("{}: error: unknown key '{}'; nearest: '{}'", setting.where, setting.key, nearest_key(setting.key)));
      continue;
    }
    const std::string error = parameter->assign(setting.value);
    if (!error.empty()) {
      errors.push_back(setting.where + ": error: " + error);
    } else {
      machine.origins[setting.key] = origin.empty() ? setting.where : origin;
    }
  }
}

// Rules that involve several keys, with the place of the first key of the rule that the user has set.
void check_rules(const MachineConfig& machine, Errors& errors) {
  for (const std::string& rule : hw::broken_rules(machine.params)) {
    std::string place = "machine " + machine.preset;
    std::size_t best = std::string::npos;
    for (const auto& [key, origin] : machine.origins) {
      const std::size_t position = rule.find(key);
      if (position < best) {
        best = position;
        place = origin;
      }
    }
    errors.push_back(place + ": error: " + rule);
  }
}

void apply_preset(MachineConfig& machine, const Preset& preset) {
  if (*preset.base != '\0') apply_preset(machine, *find_preset(preset.base));
  std::vector<Setting> settings;
  const std::string origin = std::string("preset ") + preset.name;
  for (const char* text : preset.settings) {
    Setting setting = parse_set(text, origin);
    setting.where = origin;
    settings.push_back(std::move(setting));
  }
  Errors errors;
  apply(machine, settings, origin, errors);
  SYSTOLE_CHECK(errors.empty());
  machine.preset = preset.name;
}

std::vector<std::string> groups() {
  std::vector<std::string> names;
  const hw::MachineParams machine;
  for (const Parameter& parameter : parameters(machine)) {
    if (!parameter.group.empty() && (names.empty() || names.back() != parameter.group)) names.push_back(parameter.group);
  }
  return names;
}

// One "key: value" of a file; `prefix` is the group with its dot.
void read_entry(const yaml::Node::Entry& entry, const std::string& prefix, std::vector<Setting>& settings, Errors& errors) {
  const std::string key = prefix + entry.first.text("key");
  if (!entry.second.is_scalar()) {
    errors.push_back(fmt::format("{}: error: '{}' needs a single value", entry.second.where(), key));
    return;
  }
  const std::vector<std::string> keys = parameter_keys();
  const bool known = std::find(keys.begin(), keys.end(), key) != keys.end();
  settings.push_back({key, entry.second.text(key), known ? entry.second.where() : entry.first.where()});
}

MachineConfig read_file_machine(const std::string& path) {
  const yaml::Node root = yaml::load(path);
  MachineConfig machine;
  Errors errors;
  std::vector<Setting> settings;
  std::string preset = kReferencePreset;
  const std::vector<std::string> known_groups = groups();
  if (!root.is_null()) {
    for (const yaml::Node::Entry& entry : root.entries("a machine")) {
      const std::string& key = entry.first.text("key");
      if (key == "preset") {
        preset = entry.second.text("preset");
        if (find_preset(preset) == nullptr) {
          errors.push_back(fmt::format("{}: error: unknown preset '{}'; nearest: '{}'", entry.second.where(), preset, nearest(preset, preset_names())));
          preset = kReferencePreset;
        }
      } else if (entry.second.is_map()) {
        if (std::find(known_groups.begin(), known_groups.end(), key) == known_groups.end()) {
          errors.push_back(fmt::format("{}: error: unknown group '{}'; nearest: '{}'", entry.first.where(), key, nearest(key, known_groups)));
          continue;
        }
        for (const yaml::Node::Entry& inner : entry.second.entries(key)) read_entry(inner, key + ".", settings, errors);
      } else {
        read_entry(entry, "", settings, errors);
      }
    }
  }
  apply_preset(machine, *find_preset(preset));
  apply(machine, settings, "", errors);
  if (!errors.empty()) fail(errors);
  return machine;
}

// The setting that leaves a parameter unused, or empty.
std::string made_pointless_by(const hw::MachineParams& m, const std::string& key) {
  const auto starts = [&](const char* prefix) { return key.rfind(prefix, 0) == 0; };
  const bool soc = m.memory.model == hw::MemoryModel::kSoc;
  const bool dram = m.soc.dram != hw::DramKind::kFixed;
  if (key == "memory.latency") return soc ? "memory.model = soc" : "";
  if (!starts("soc.") && !starts("dram_timing.")) return "";
  if (!soc) return "memory.model = ideal";
  if ((starts("dram_timing.") || starts("soc.dram_")) && !dram) return "soc.dram = fixed";
  if (starts("soc.axi_") && key != "soc.axi_bytes" && dram) return "soc.dram = " + values(m).at("soc.dram");
  if (starts("soc.llc_") && m.soc.llc_kib == 0) return "soc.llc_kib = 0";
  return "";
}

}  // namespace

std::vector<std::string> settings_without_effect(const MachineConfig& machine) {
  const auto now = values(machine.params);
  const auto before = values(preset_machine(machine.preset).params);
  std::vector<std::string> result;
  for (const auto& [key, origin] : machine.origins) {
    if (now.at(key) == before.at(key)) continue;
    const std::string cause = made_pointless_by(machine.params, key);
    if (!cause.empty()) result.push_back(fmt::format("{} = {} ({}) has no effect with {}", key, now.at(key), origin, cause));
  }
  return result;
}

Setting parse_set(const std::string& text, const std::string& option) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw ConfigError(fmt::format("{} '{}': write key=value, e.g. scratchpad.kib=128", option, text));
  }
  return {text.substr(0, equals), text.substr(equals + 1), option};
}

MachineConfig preset_machine(const std::string& name) {
  const Preset* preset = find_preset(name);
  if (preset == nullptr) throw ConfigError(fmt::format("unknown preset '{}'; nearest: '{}'", name, nearest(name, preset_names())));
  MachineConfig machine;
  apply_preset(machine, *preset);
  return machine;
}

MachineConfig change_machine(const MachineConfig& base, const std::vector<Setting>& settings) {
  MachineConfig machine = base;
  Errors errors;
  apply(machine, settings, "", errors);
  if (errors.empty()) check_rules(machine, errors);
  if (!errors.empty()) fail(errors);
  return machine;
}

MachineConfig load_machine(const std::string& name, const std::vector<std::string>& sets) {
  MachineConfig machine;
  if (find_preset(name) != nullptr) {
    machine = preset_machine(name);
  } else if (std::filesystem::exists(name)) {
    machine = read_file_machine(name);
  } else {
    throw ConfigError(fmt::format("machine '{}' is neither a preset nor a file; nearest preset: '{}'", name, nearest(name, preset_names())));
  }
  std::vector<Setting> settings;
  Errors errors;
  for (const std::string& text : sets) {
    try {
      settings.push_back(parse_set(text));
    } catch (const ConfigError& error) {
      errors.emplace_back(error.what());
    }
  }
  apply(machine, settings, "", errors);
  if (errors.empty()) check_rules(machine, errors);
  if (!errors.empty()) fail(errors);
  return machine;
}

std::string dump_yaml(const MachineConfig& machine) {
  std::string text = fmt::format("preset: {}\n", machine.preset);
  std::string group;
  for (const Parameter& parameter : parameters(machine.params)) {
    if (parameter.group != group) {
      group = parameter.group;
      text += group + ":\n";
    }
    const auto origin = machine.origins.find(parameter.key);
    const std::string line = fmt::format("{}{}: {}", group.empty() ? "" : "  ", parameter.key.substr(group.empty() ? 0 : group.size() + 1),
                                         parameter.value());
    text += fmt::format("{:<28} # {}\n", line, origin == machine.origins.end() ? "default" : origin->second);
  }
  return text;
}

}  // namespace systole::config
