#pragma once
// One workload lowered with two tilers, side by side.
#include <cstdint>
#include <string>
#include <vector>

namespace systole::report {

// What the comparison needs of one run, in the words of "systole-run 1".
struct TilerRun {
  std::string tiler;
  std::string workload;
  std::uint64_t seq = 0;
  std::uint64_t layers = 0;
  std::string machine;
  int dim = 0;
  std::uint64_t cycles = 0;
  std::uint64_t macs = 0;
  struct Region {
    std::string name;
    std::uint64_t cycles = 0;
    std::uint64_t macs = 0;
  };
  std::vector<Region> regions;
  bool passed = true;               // every comparison of values
  std::string first_mismatch;
};

// Reads the JSON of a run.
[[nodiscard]] TilerRun tiler_run(const std::string& run_json);

// Cycles and utilisation of every region with both, and the ratio; regions of all layers and tokens as one unless `every_layer`.
[[nodiscard]] std::string comparison_text(const TilerRun& published, const TilerRun& search, bool every_layer);
// Schema "systole-tilers 1": the two runs as they are, and the ratio of their cycles.
[[nodiscard]] std::string comparison_json(const std::string& published, const std::string& search);

}  // namespace systole::report
