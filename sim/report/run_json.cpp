#include <nlohmann/json.hpp>

#include "sim/config/parameters.h"
#include "sim/energy/energy.h"
#include "sim/report/run_report.h"

namespace systole::report {
namespace {

using Json = nlohmann::ordered_json;

Json machine_json(const config::MachineConfig& machine) {
  Json values = Json::object();
  for (const config::Parameter& parameter : config::parameters(machine.params)) {
    if (parameter.choices.empty()) {
      values[parameter.key] = parameter.get();
    } else {
      values[parameter.key] = parameter.value();
    }
  }
  return {{"preset", machine.preset}, {"parameters", std::move(values)}};
}

Json accounts_json(const std::vector<hw::UnitAccount>& accounts) {
  Json units = Json::object();
  for (const hw::UnitAccount& account : accounts) {
    Json unit = {{"busy", 0}, {"idle", 0}, {"stall", Json::object()}};
    for (const hw::StateCycles& state : account.states) (state.stall ? unit["stall"][state.name] : unit[state.name]) = state.cycles;
    units[account.unit] = std::move(unit);
  }
  return units;
}

// Nothing compared: zeros, and no verdict.
Json checks_json(const std::optional<run::CheckResult>& result) {
  const run::CheckResult checks = result.value_or(run::CheckResult{});
  Json json = {{"boundaries", checks.boundaries}, {"elements", checks.elements}, {"mismatches", checks.mismatches}};
  json["overflows"] = checks.overflows.total();
  json["sqnr_db"] = nullptr;   // without a float model
  if (!checks.first_mismatch.empty()) json["first_mismatch"] = checks.first_mismatch;
  if (checks.against_float) {
    json["sqnr_db"] = checks.against_float->sqnr_db;
    json["cosine"] = checks.against_float->cosine;
    json["max_abs_relative"] = checks.against_float->max_abs;
  }
  if (result) json["passed"] = result->passed();
  return json;
}

Json energy_json(const run::Results& r) {
  const energy::Energy energy =
      energy::energy_of(energy::run_counts(r.counters, r.memory.read_bytes, r.memory.write_bytes), r.machine.params);
  Json json = {{"total_pj", energy.total_pj()}};
  for (const energy::EnergyPart& part : energy.parts) json[part.name + "_pj"] = part.picojoules;
  json["assumptions"] = energy::energy_assumptions();
  return json;
}

}  // namespace

std::string run_json(const run::Results& r, const std::string& version) {
  const int dim = r.machine.params.array.dim;
  Json json = {{"schema", "systole-run 1"}, {"version", version}, {"workload", r.workload}, {"seq", r.seq}, {"layers", r.layers},
               {"seed", r.seed},            {"timing_only", r.timing_only}, {"tiler", name_of(r.tiler)}};
  json["machine"] = machine_json(r.machine);
  json["cycles"] = r.cycles;
  json["macs"] = r.macs;
  json["commands"] = r.commands;
  json["utilization"] = run::utilisation(r.macs, r.cycles, dim);
  json["regions"] = Json::array();
  for (const run::RegionResult& region : run::merged_regions(r.regions, false)) {
    json["regions"].push_back({{"name", region.name},
                               {"cycles", region.cycles},
                               {"macs", region.macs},
                               {"utilization", run::utilisation(region.macs, region.cycles, dim)},
                               {"units", accounts_json(region.accounts)}});
  }
  json["units"] = accounts_json(r.accounts);
  json["counters"] = Json::object();
  for (const hw::Counter& counter : r.counters) json["counters"][counter.name] = counter.value;
  json["memory"] = {{"read_bytes", r.memory.read_bytes}, {"write_bytes", r.memory.write_bytes}, {"transactions", r.memory.transactions}};
  if (!r.counters.empty()) json["energy"] = energy_json(r);
  json["checks"] = checks_json(r.checks);
  if (!r.tokens.empty()) {
    json["tokens"] = Json::array();
    for (const run::SequenceTokens& s : r.tokens) {
      Json sequence = {{"prompt", s.prompt}};
      if (!s.generated.empty()) sequence["generated"] = s.generated;
      if (!s.predicted.empty()) sequence["predicted"] = s.predicted;
      json["tokens"].push_back(std::move(sequence));
    }
  }
  json["warnings"] = r.warnings;
  const run::Performance& p = r.performance;
  json["simulator"] = {{"cpu_seconds", p.cpu_seconds}, {"wall_seconds", p.wall_seconds}, {"peak_rss_bytes", p.peak_rss_bytes},
                       {"wakeups", p.wakeups},         {"scheduler", p.scheduler}};
  json["simulator"]["phases"] = Json::array();
  for (const run::Performance::Phase& phase : p.phases) json["simulator"]["phases"].push_back({{"name", phase.name}, {"cpu_seconds", phase.cpu_seconds}});
  if (r.skipping.wanted) {
    json["simulator"]["skip_ahead"] = {{"refused", r.skipping.refused}, {"pieces_simulated", r.skipping.pieces}, {"pieces_repeated", r.skipping.repeated},
                          {"cycles_repeated", r.skipping.repeated_cycles}, {"values_of_functional_model", r.skipping.values_of_model}};
  }
  return json.dump(2) + "\n";
}

}  // namespace systole::report
