#include "sim/study/case_study_runs.h"

#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sim/base/crc32.h"
#include "sim/base/errors.h"
#include "sim/base/file.h"
#include "sim/base/memory.h"
#include "sim/base/process_pool.h"
#include "sim/config/parameters.h"
#include "sim/run/results.h"
#include "sim/run/simulation.h"
#include "sim/run/target.h"

namespace systole::study {
namespace {

using Json = nlohmann::ordered_json;
using workloads::LayerProducts;
using workloads::NormalisedProduct;
using workloads::PublishedLayer;

// Everything that the numbers of a run depend on.
std::string identity(const CaseRun& run, const std::string& version) {
  constexpr const char* kFormat = "2";  // of the stored numbers
  std::string text = version + " " + kFormat + " |";
  if (const auto* layer = std::get_if<PublishedLayer>(&run.layer)) {
    text += fmt::format(" layer {} {} {} {} {} {} {}", layer->hidden, layer->expansion, layer->heads, layer->rows,
                        layer->cached, layer->cross_keys, layer->fused_norm);
  } else if (const auto* pair = std::get_if<NormalisedProduct>(&run.layer)) {
    text += fmt::format(" pair {} {} {} {} {} {}", static_cast<int>(pair->norm), pair->rows, pair->columns, pair->inner, pair->fused,
                        pair->values);
  } else {
    const auto& products = std::get<LayerProducts>(run.layer);
    text += fmt::format(" products {} {} {} {} {} {} {} {}", products.rows, products.model, products.feed_forward, products.heads,
                        products.wide_results, products.biases, products.searched_tiles, static_cast<int>(products.cpu));
  }
  for (const config::Parameter& parameter : config::parameters(run.machine.params))
    text += fmt::format(" {}={}", parameter.key, parameter.value());
  return text;
}

Json to_json(const CaseNumbers& numbers) {
  Json json = {{"cycles", numbers.cycles},         {"macs", numbers.macs},
               {"read_bytes", numbers.read_bytes}, {"write_bytes", numbers.write_bytes},
               {"commands", numbers.commands},     {"counters", numbers.counters},
               {"regions", Json::array()}};
  for (const auto& region : numbers.regions)
    json["regions"].push_back({{"name", region.name}, {"cycles", region.cycles}, {"macs", region.macs}});
  return json;
}

CaseNumbers from_json(const Json& json) {
  CaseNumbers numbers;
  numbers.cycles = json.at("cycles");
  numbers.macs = json.at("macs");
  numbers.read_bytes = json.at("read_bytes");
  numbers.write_bytes = json.at("write_bytes");
  numbers.commands = json.at("commands");
  for (const auto& [name, value] : json.at("counters").items()) numbers.counters[name] = value;
  for (const auto& region : json.at("regions"))
    numbers.regions.push_back({region.at("name"), region.at("cycles"), region.at("macs")});
  return numbers;
}

isa::Program program_of(const CaseRun& run) {
  const kernels::Target target = run::target_of(run.machine.params);
  if (const auto* layer = std::get_if<PublishedLayer>(&run.layer)) return workloads::published_layer(*layer, target);
  if (const auto* pair = std::get_if<NormalisedProduct>(&run.layer)) return workloads::normalised_product(*pair, target);
  return workloads::layer_products(std::get<LayerProducts>(run.layer), target);
}

std::uint64_t checksum(const isa::Program& program, const Memory& memory) {
  for (const isa::Symbol& symbol : program.symbols) {
    if (symbol.name == "result") return crc32_of(memory.at(symbol.address, symbol.bytes), symbol.bytes);
  }
  SYSTOLE_CHECK(false);
  return 0;
}

CaseNumbers simulate(const CaseRun& run) {
  const isa::Program program = program_of(run);
  const auto* pair = std::get_if<NormalisedProduct>(&run.layer);
  const bool values = pair != nullptr && pair->values;
  run::SimulationSettings settings;
  settings.timing_only = !values;
  settings.check = false;
  Memory memory;
  const run::ProgramRun result = run::simulate(program, memory, run.machine, settings);
  CaseNumbers numbers;
  numbers.cycles = result.machine.cycles;
  numbers.read_bytes = result.traffic.read_bytes;
  numbers.write_bytes = result.traffic.write_bytes;
  numbers.commands = result.machine.accepts.size();
  for (const isa::Region& region : program.regions) {
    numbers.macs += region.macs;
    numbers.regions.push_back({region.name, 0, region.macs});
  }
  for (const hw::RegionCycles& region : result.machine.regions)
    numbers.regions.at(region.region).cycles += region.cycles;
  for (const hw::Counter& counter : result.machine.counters) numbers.counters[counter.name] = counter.value;
  // What the array does and waits for.
  for (const hw::UnitAccount& account : result.machine.accounts) {
    if (account.unit != "execute") continue;
    for (const hw::StateCycles& state : account.states) numbers.counters["study.execute." + state.name] = state.cycles;
  }
  if (values) numbers.counters[kResultChecksum] = checksum(program, memory);
  return numbers;
}

std::optional<CaseNumbers> stored(const std::string& file, const std::string& run) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  const Json json = Json::parse(read_file(file), nullptr, false);
  if (!json.is_object() || json.value("run", "") != run || !json.contains("numbers")) return std::nullopt;
  try {
    return from_json(json.at("numbers"));
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;  // not one of our files: run again
  }
}

}  // namespace

double CaseNumbers::utilisation(int dim) const { return run::utilisation(macs, cycles, dim); }

std::uint64_t CaseNumbers::cycles_of(const std::string& name) const {
  std::uint64_t sum = 0;
  bool found = false;
  for (const Region& region : regions) {
    if (region.name != name) continue;
    sum += region.cycles;
    found = true;
  }
  SYSTOLE_CHECK(found);
  return sum;
}

std::vector<CaseNumbers> run_cases(const std::vector<CaseRun>& asked, const CaseOptions& options) {
  std::vector<CaseRun> runs = asked;
  if (!options.settings.empty()) {
    for (CaseRun& run : runs) run.machine = config::change_machine(run.machine, options.settings);
  }
  const std::string folder = options.directory + "/runs";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw ConfigError(fmt::format("cannot create directory '{}': {}", folder, error.message()));
  std::vector<CaseNumbers> numbers(runs.size());
  std::vector<std::size_t> missing;
  const auto file_of = [&](std::size_t r) { return fmt::format("{}/{}.json", folder, runs[r].id); };
  std::map<std::string, std::size_t> first;  // runs that are asked for twice run once
  for (std::size_t r = 0; r < runs.size(); ++r) {
    if (!first.emplace(runs[r].id, r).second) {
      SYSTOLE_CHECK(identity(runs[r], "") == identity(runs[first[runs[r].id]], ""));
      continue;
    }
    if (const auto kept = stored(file_of(r), identity(runs[r], options.version))) {
      numbers[r] = *kept;
    } else {
      missing.push_back(r);
    }
  }
  std::size_t done = first.size() - missing.size();
  options.progress(missing.empty() ? "" : runs[missing[0]].id, done, first.size());
  // What cannot be lowered is said before minutes of simulation, not after them.
  std::string failure;
  const auto fail = [&](const CaseRun& run, const std::string& why) {
    failure += fmt::format("{}{}: {}", failure.empty() ? "" : "\n", run.id, why);
  };
  for (const std::size_t r : missing) {
    try {
      (void)hw::buildable(runs[r].machine.params);
      (void)program_of(runs[r]);
    } catch (const ConfigError& refused) {
      fail(runs[r], refused.what());
    }
  }
  if (!failure.empty()) throw ConfigError(failure);
  run_tasks(
      missing.size(), options.jobs, [&](std::size_t task) { return to_json(simulate(runs[missing[task]])).dump(); },
      [&](std::size_t task, const TaskResult& result) {
        const std::size_t r = missing[task];
        if (result.end == TaskEnd::kConfigError) {
          fail(runs[r], result.text);
          return;
        }
        const Json json = Json::parse(text_or_throw(result));
        numbers[r] = from_json(json);
        const Json file = {{"run", identity(runs[r], options.version)}, {"numbers", json}};
        write_atomically(file_of(r), file.dump(2) + "\n");
        options.progress(runs[r].id, ++done, first.size());
      });
  if (!failure.empty()) throw ConfigError(failure);
  for (std::size_t r = 0; r < runs.size(); ++r) numbers[r] = numbers[first[runs[r].id]];
  return numbers;
}

workloads::PublishedLayer bert_base_layer(std::uint64_t rows) {
  PublishedLayer layer;
  layer.rows = rows;
  return layer;
}

}  // namespace systole::study
