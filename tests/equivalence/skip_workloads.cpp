// Runs workloads once simulated whole and once with skip-ahead and compares the reports: cycles, regions, accounts of all units, counters,
// port traffic, warnings, and the comparison of all values.
//   skip_workloads JOBS quick|full
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "sim/base/process_pool.h"
#include "sim/report/run_report.h"
#include "sim/run/simulation.h"

using namespace systole;

namespace {

struct Case {
  const char* workload;
  std::uint64_t seq;
  std::uint64_t layers;
  std::uint64_t generate;
  std::uint64_t batch;
  bool timing_only;
  std::vector<std::string> machine;   // preset, then settings
  bool quick;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      {"bert-base", 16, 3, 0, 1, false, {"survey"}, true},
      {"bert-base", 16, 2, 0, 2, true, {"survey-64-256"}, true},
      {"gpt2", 8, 2, 3, 1, false, {"survey"}, true},
      {"transformer-base", 16, 2, 0, 1, false, {"survey"}, true},
      {"bert-base", 48, 3, 0, 1, false, {"survey", "dma.max_in_flight=32"}, false},
      {"bert-base", 33, 2, 0, 1, false, {"survey", "sfu.stats_ids=4"}, false},
      {"bert-base", 20, 3, 0, 1, true, {"survey", "array.dim=32"}, false},
      {"bert-base", 32, 3, 0, 1, false, {"survey-256-256", "memory.latency=100"}, false},
      {"bert-large", 24, 2, 0, 1, true, {"survey", "dma.bus_bytes=32"}, false},
      {"gpt2", 24, 2, 5, 1, false, {"survey-128-128"}, false},
      {"gpt2-medium", 8, 2, 2, 1, true, {"survey", "revision=2025", "sfu.iexp_as_igelu=0"}, false},
      {"transformer-base", 40, 3, 0, 1, false, {"survey"}, false},
      {"bert-base", 40, 2, 0, 1, true, {"survey", "memory.model=soc"}, false},   // which cannot skip
  };
  return kCases;
}

std::string name_of(const Case& c) {
  std::string name = std::string(c.workload) + " seq " + std::to_string(c.seq) + " layers " + std::to_string(c.layers);
  if (c.generate != 0) name += " generate " + std::to_string(c.generate);
  for (const std::string& setting : c.machine) name += " " + setting;
  return name + (c.timing_only ? " timing only" : "");
}

std::string report_of(const Case& c, bool skip) {
  run::WorkloadRequest request;
  request.name = c.workload;
  request.seq = c.seq;
  request.layers = c.layers;
  request.generate = c.generate;
  request.no_language_head = true;   // 50,257 words: most of the time, and always the same product
  request.batch = c.batch;
  run::SimulationSettings settings;
  settings.timing_only = c.timing_only;
  settings.skip_ahead = skip;
  const run::Results results = run::run_workload(request, config::load_machine(c.machine[0], {c.machine.begin() + 1, c.machine.end()}), settings);
  nlohmann::json report = nlohmann::json::parse(report::run_json(results, ""));
  report.erase("simulator");   // its time and memory, and what it skipped
  nlohmann::json result;
  result["report"] = report;
  result["repeated"] = results.skipping.repeated;
  result["refused"] = results.skipping.refused;
  return result.dump();
}

}  // namespace

// libsystemc has a main() of its own that calls sc_main(); it is never called.
extern "C" int sc_main(int, char**) { return 1; }

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: skip_workloads JOBS quick|full\n";
    return 2;
  }
  std::vector<Case> chosen;
  for (const Case& c : cases()) {
    if (c.quick == (std::strcmp(argv[2], "quick") == 0)) chosen.push_back(c);
  }
  std::vector<TaskResult> results(2 * chosen.size());
  run_tasks(
      results.size(), std::atoi(argv[1]), [&](std::size_t i) { return report_of(chosen[i / 2], i % 2 != 0); },
      [&](std::size_t i, const TaskResult& result) { results[i] = result; });
  int different = 0;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    std::cout << name_of(chosen[i]) << ": ";
    if (results[2 * i].end != TaskEnd::kDone || results[2 * i + 1].end != TaskEnd::kDone) {
      std::cout << "failed: " << results[2 * i].text.substr(0, 500) << " | " << results[2 * i + 1].text.substr(0, 500) << '\n';
      ++different;
      continue;
    }
    const auto whole = nlohmann::json::parse(results[2 * i].text);
    const auto skipped = nlohmann::json::parse(results[2 * i + 1].text);
    const bool equal = whole["report"] == skipped["report"];
    const bool skips = skipped["repeated"].get<std::uint64_t>() != 0;
    const std::string refused = skipped["refused"].get<std::string>();
    std::cout << (equal ? "equal, " : "DIFFERENT, ") << skipped["repeated"] << " pieces repeated" << (refused.empty() ? "" : ", refused: " + refused) << '\n';
    if (!equal) std::cout << nlohmann::json::diff(whole["report"], skipped["report"]).dump().substr(0, 1000) << '\n';
    if (!equal || (!skips && refused.empty())) ++different;
  }
  return different == 0 ? 0 : 1;
}
