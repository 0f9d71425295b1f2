#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "sim/base/file.h"
#include "sim/base/yaml.h"
#include "sim/config/parameters.h"
#include "sim/config/presets.h"
#include "sim/study/sweep.h"

namespace systole::study {
namespace {

using config::Setting;

constexpr std::size_t kMaxPoints = 100000;   // more is a mistake in a grid

// All settings of one point.
using Combination = std::vector<Setting>;

run::WorkloadRequest read_workload(const yaml::Node& node) {
  run::WorkloadRequest workload;
  if (node.is_scalar()) {
    workload.name = node.text("workload");
    return workload;
  }
  node.expect_keys("a workload", {"name", "seq", "layers", "batch", "generate", "seed", "input", "tiler"});
  workload.name = node.at("name").text("name");
  const auto number = [&](const char* key, std::uint64_t& value, std::int64_t min) {
    const yaml::Node* entry = node.find(key);
    if (entry != nullptr) value = static_cast<std::uint64_t>(entry->integer(key, min, std::numeric_limits<std::int32_t>::max()));
  };
  number("seq", workload.seq, 1);
  number("layers", workload.layers, 1);
  number("batch", workload.batch, 1);
  number("generate", workload.generate, 0);
  number("seed", workload.seed, 0);
  if (const yaml::Node* input = node.find("input")) workload.input = input->text("input");
  if (const yaml::Node* tiler = node.find("tiler")) {
    workload.tiler = std::array{kernels::Tiler::kSearch, kernels::Tiler::kGemmini}.at(tiler->choice("tiler", {"search", "gemmini"}));
  }
  return workload;
}

// Fails at a key that is no parameter.
const std::string& read_key(const yaml::Node& node) {
  const std::string& key = node.text("key");
  const std::vector<std::string> keys = config::parameter_keys();
  if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
    node.fail(fmt::format("unknown key '{}'; nearest: '{}'", key, config::nearest_key(key)));
  }
  return key;
}

void remember(std::vector<std::string>& keys, const std::string& key) {
  if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
}

std::vector<Combination> read_grid(const yaml::Node& grid, std::vector<std::string>& keys) {
  std::vector<Combination> combinations(1);
  for (const yaml::Node::Entry& axis : grid.entries("grid")) {
    const std::string& key = read_key(axis.first);
    remember(keys, key);
    const auto& values = axis.second.items(key);
    if (values.empty()) axis.second.fail(fmt::format("'{}' has no values", key));
    if (combinations.size() * values.size() > kMaxPoints) axis.first.fail(fmt::format("the grid has more than {} points", kMaxPoints));
    std::vector<Combination> next;
    for (const Combination& combination : combinations) {
      for (const yaml::Node& value : values) {
        next.push_back(combination);
        next.back().push_back({key, value.text(key), value.where()});
      }
    }
    combinations = std::move(next);
  }
  return combinations;
}

std::vector<Combination> read_list(const yaml::Node& list, std::vector<std::string>& keys) {
  std::vector<Combination> combinations;
  for (const yaml::Node& item : list.items("list")) {
    combinations.emplace_back();
    for (const yaml::Node::Entry& entry : item.entries("a point of the list")) {
      const std::string& key = read_key(entry.first);
      remember(keys, key);
      combinations.back().push_back({key, entry.second.text(key), entry.second.where()});
    }
  }
  if (combinations.empty()) list.fail("the list has no points");
  return combinations;
}

std::vector<config::MachineConfig> build_machines(const config::MachineConfig& base, const std::vector<Combination>& combinations) {
  std::vector<config::MachineConfig> machines;
  std::vector<std::string> errors;
  for (const Combination& combination : combinations) {
    try {
      machines.push_back(config::change_machine(base, combination));
    } catch (const ConfigError& error) {
      if (std::find(errors.begin(), errors.end(), error.what()) == errors.end()) errors.emplace_back(error.what());
    }
  }
  if (!errors.empty()) throw ConfigError(fmt::format("{}", fmt::join(errors, "\n")));
  return machines;
}

}  // namespace

Sweep parse_sweep(const std::string& text, const std::string& name, const SweepMachine& wanted) {
  const yaml::Node root = yaml::parse(text, name);
  root.expect_keys("a sweep", {"machine", "workloads", "timing_only", "grid", "list"});
  Sweep sweep;
  if (const yaml::Node* node = root.find("timing_only")) sweep.timing_only = node->boolean("timing_only");

  config::MachineConfig base = config::preset_machine(config::kDefaultPreset);
  if (!wanted.name.empty()) {
    base = config::load_machine(wanted.name);
  } else if (const yaml::Node* node = root.find("machine")) {
    try {
      base = config::load_machine(node->text("machine"));
    } catch (const ConfigError& error) {
      node->fail(error.what());
    }
  }
  std::vector<Setting> settings;
  for (const std::string& text_of_one : wanted.settings) settings.push_back(config::parse_set(text_of_one));
  base = config::change_machine(base, settings);
  const yaml::Node* grid = root.find("grid");
  const yaml::Node* list = root.find("list");
  if (grid != nullptr && list != nullptr) list->fail("a sweep has a grid or a list, not both");
  std::vector<Combination> combinations(1);
  if (grid != nullptr) combinations = read_grid(*grid, sweep.keys);
  if (list != nullptr) combinations = read_list(*list, sweep.keys);

  const std::vector<config::MachineConfig> machines = build_machines(base, combinations);
  const auto& workloads = root.at("workloads").items("workloads");
  if (workloads.empty()) root.at("workloads").fail("no workload");
  for (const yaml::Node& node : workloads) {
    const run::WorkloadRequest workload = read_workload(node);
    for (const config::MachineConfig& machine : machines) sweep.points.push_back({workload, machine});
  }
  return sweep;
}

Sweep read_sweep(const std::string& path, const SweepMachine& wanted) { return parse_sweep(read_file(path), path, wanted); }

}  // namespace systole::study
