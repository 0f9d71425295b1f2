#include "sim/study/sweep_tables.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sim/base/errors.h"
#include "sim/config/parameters.h"
#include "sim/report/table.h"

namespace systole::study {
namespace {

using Json = nlohmann::ordered_json;

std::string value_of(const config::MachineConfig& machine, const std::string& key) {
  for (const config::Parameter& parameter : config::parameters(machine.params)) {
    if (parameter.key == key) return parameter.value();
  }
  throw InternalError("no parameter " + key);
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c == '\n' ? ' ' : c);
  return quoted + "\"";
}

bool ran(const PointResult& result) { return result.status == "ok" || result.status == "mismatch"; }

}  // namespace

std::string table_csv(const Sweep& sweep, const std::vector<PointResult>& results) {
  std::string text;
  for (const std::string& key : sweep.keys) text += key + ",";
  text += "workload,status,cycles,utilization,energy_pj,cpu_seconds,seq,layers,batch,generate,tiler\n";
  for (std::size_t i = 0; i < sweep.points.size(); ++i) {
    const SweepPoint& point = sweep.points[i];
    const PointResult& r = results[i];
    for (const std::string& key : sweep.keys) text += csv_field(value_of(point.machine, key)) + ",";
    text += fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", csv_field(point.workload.name), csv_field(r.status), ran(r) ? std::to_string(r.cycles) : "",
                        ran(r) ? fmt::format("{:.6f}", r.utilization) : "", ran(r) && r.energy_pj >= 0 ? fmt::format("{:.6g}", r.energy_pj) : "",
                        ran(r) ? fmt::format("{:.3f}", r.cpu_seconds) : "", point.workload.seq, point.workload.layers, std::max<std::uint64_t>(1, point.workload.batch),
                        point.workload.generate, name_of(point.workload.tiler));
  }
  return text;
}

std::string table_json(const Sweep& sweep, const std::vector<PointResult>& results, const std::string& version) {
  Json rows = Json::array();
  for (std::size_t i = 0; i < sweep.points.size(); ++i) {
    const SweepPoint& point = sweep.points[i];
    Json settings = Json::object();
    for (const std::string& key : sweep.keys) settings[key] = value_of(point.machine, key);
    Json row = {{"parameters", settings},         {"workload", point.workload.name},          {"seq", point.workload.seq},
                {"layers", point.workload.layers}, {"status", results[i].status},              {"cycles", results[i].cycles},
                {"macs", results[i].macs},         {"utilization", results[i].utilization},    {"cpu_seconds", results[i].cpu_seconds}};
    if (results[i].energy_pj >= 0) row["energy_pj"] = results[i].energy_pj;
    rows.push_back(std::move(row));
  }
  return Json{{"schema", "systole-sweep 1"}, {"version", version}, {"points", rows}}.dump(2) + "\n";
}

std::string table_text(const Sweep& sweep, const std::vector<PointResult>& results) {
  using report::Align;
  std::vector<report::Table::Column> columns;
  for (const std::string& key : sweep.keys) columns.push_back({key, Align::kRight});
  for (const char* title : {"workload", "seq", "layers"}) columns.push_back({title});
  columns.insert(columns.end(), {{"cycles", Align::kRight}, {"utilisation", Align::kRight}, {"CPU s", Align::kRight}, {"status"}});
  report::Table table(std::move(columns));
  for (std::size_t i = 0; i < sweep.points.size(); ++i) {
    const SweepPoint& point = sweep.points[i];
    const PointResult& r = results[i];
    std::vector<std::string> cells;
    for (const std::string& key : sweep.keys) cells.push_back(value_of(point.machine, key));
    const auto size = [](std::uint64_t value) { return value == 0 ? std::string("-") : std::to_string(value); };
    cells.insert(cells.end(), {point.workload.name, size(point.workload.seq), size(point.workload.layers)});
    cells.insert(cells.end(), {ran(r) ? report::grouped(r.cycles) : "", ran(r) ? report::percent(r.utilization) : "",
                               ran(r) ? fmt::format("{:.1f}", r.cpu_seconds) : "", r.status.substr(0, r.status.find(':'))});
    table.row(std::move(cells));
  }
  return table.text();
}

}  // namespace systole::study
