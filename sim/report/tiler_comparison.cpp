#include "sim/report/tiler_comparison.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sim/report/table.h"
#include "sim/run/results.h"

namespace systole::report {
namespace {

using Json = nlohmann::ordered_json;

std::vector<run::RegionResult> merged(const TilerRun& run, bool every_layer) {
  std::vector<run::RegionResult> regions;
  for (const TilerRun::Region& region : run.regions) regions.push_back({region.name, region.cycles, region.macs, {}});
  return run::merged_regions(regions, !every_layer && run.layers > 1);
}

double ratio(std::uint64_t part, std::uint64_t whole) { return whole == 0 ? 1 : static_cast<double>(part) / static_cast<double>(whole); }

std::string share(std::uint64_t macs, std::uint64_t cycles, int dim) { return macs == 0 ? "-" : percent(run::utilisation(macs, cycles, dim)); }

}  // namespace

TilerRun tiler_run(const std::string& run_json) {
  const Json json = Json::parse(run_json);
  TilerRun run;
  run.tiler = json.at("tiler");
  run.workload = json.at("workload");
  run.seq = json.at("seq");
  run.layers = json.at("layers");
  run.machine = json.at("machine").at("preset");
  run.dim = json.at("machine").at("parameters").at("array.dim");
  run.cycles = json.at("cycles");
  run.macs = json.at("macs");
  for (const Json& region : json.at("regions")) run.regions.push_back({region.at("name"), region.at("cycles"), region.at("macs")});
  if (json.at("checks").contains("passed")) {
    run.passed = json.at("checks").at("passed");
    run.first_mismatch = json.at("checks").value("first_mismatch", "");
  }
  return run;
}

std::string comparison_text(const TilerRun& published, const TilerRun& search, bool every_layer) {
  const std::vector<run::RegionResult> before = merged(published, every_layer);
  std::map<std::string, run::RegionResult> after;
  for (const run::RegionResult& region : merged(search, every_layer)) after[region.name] = region;
  Table table({{"region"}, {published.tiler, Align::kRight}, {"utilisation", Align::kRight}, {search.tiler, Align::kRight},
               {"utilisation", Align::kRight}, {"ratio", Align::kRight}});
  const int dim = search.dim;
  for (const run::RegionResult& a : before) {
    const auto found = after.find(a.name);
    if (found == after.end()) {   // one tiler fuses a LayerNorm that the other leaves alone
      table.row({a.name, grouped(a.cycles), share(a.macs, a.cycles, dim), "-", "", ""});
      continue;
    }
    const run::RegionResult& b = found->second;
    table.row({a.name, grouped(a.cycles), share(a.macs, a.cycles, dim), grouped(b.cycles), share(b.macs, b.cycles, dim),
               fmt::format("{:.3f}", ratio(b.cycles, a.cycles))});
    after.erase(found);
  }
  for (const auto& [name, b] : after) table.row({name, "-", "", grouped(b.cycles), share(b.macs, b.cycles, dim), ""});
  table.rule();
  table.row({"all", grouped(published.cycles), percent(run::utilisation(published.macs, published.cycles, dim)), grouped(search.cycles),
             percent(run::utilisation(search.macs, search.cycles, dim)), fmt::format("{:.3f}", ratio(search.cycles, published.cycles))});
  return fmt::format("{}, seq {}, {} layer{} on machine {}: cycles with the tiling of Gemmini's library, and with the tiling by search\n\n{}",
                     search.workload, search.seq, search.layers, search.layers == 1 ? "" : "s", search.machine, table.text());
}

std::string comparison_json(const std::string& published, const std::string& search) {
  const Json a = Json::parse(published);
  const Json b = Json::parse(search);
  return Json{{"schema", "systole-tilers 1"}, {"ratio", ratio(b.at("cycles"), a.at("cycles"))}, {"runs", {a, b}}}.dump(2) + "\n";
}

}  // namespace systole::report
