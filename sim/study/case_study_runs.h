#pragma once
// Runs of the simulator that experiments need: each in a process of its own, several at a time, and kept as a file, so
// that an interrupted experiment goes on where it stopped.
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "sim/config/machine_config.h"
#include "sim/study/case_study.h"
#include "workloads/case_study/fusion.h"
#include "workloads/case_study/products.h"
#include "workloads/lower/published.h"

namespace systole::study {

struct CaseRun {
  std::string id;  // names the file
  std::variant<workloads::PublishedLayer, workloads::LayerProducts, workloads::NormalisedProduct> layer;
  config::MachineConfig machine;
};

// Of one layer, in time only; of a pair of operators also the checksum of its result when it has values.
struct CaseNumbers {
  struct Region {
    std::string name;
    std::uint64_t cycles = 0, macs = 0;
  };
  std::uint64_t cycles = 0, macs = 0, read_bytes = 0, write_bytes = 0, commands = 0;
  std::vector<Region> regions;
  std::map<std::string, std::uint64_t> counters;

  [[nodiscard]] double utilisation(int dim) const;
  // Cycles of all regions of that name; throws InternalError when there is none.
  [[nodiscard]] std::uint64_t cycles_of(const std::string& region) const;
};

// Counter of a run with values: CRC-32 of its result.
inline constexpr const char* kResultChecksum = "study.result_crc";

// In the order of `runs`. Throws ConfigError when a machine cannot run its layer, naming both.
[[nodiscard]] std::vector<CaseNumbers> run_cases(const std::vector<CaseRun>& runs, const CaseOptions& options);

// The layer BERT-Base at `rows`, as Gemmini's published software issues it, LayerNorm behind the product it follows.
[[nodiscard]] workloads::PublishedLayer bert_base_layer(std::uint64_t rows);

}  // namespace systole::study
