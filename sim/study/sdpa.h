#pragma once
// `reproduce sdpa`: the claims of Sohn, Zhang, Olukotun (arXiv 2404.16629) about attention on streaming dataflow, each
// next to what the engine gives.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "workloads/streaming/published.h"

namespace systole::study {

// kOpen: nothing to compare with yet. kContext: a number beside the claims, of this host or of our choice of
// parameters.
enum class Verdict : std::uint8_t { kPass, kDeviation, kOpen, kContext };
[[nodiscard]] const char* name_of(Verdict verdict);

struct SdpaRow {
  std::string item;
  std::optional<double> paper;
  std::optional<double> ours;
  Verdict verdict = Verdict::kPass;
  std::string cause;
};

struct SdpaClaim {
  std::string id;        // "bounded-equals-unbounded"
  std::string sentence;  // what is claimed
  std::vector<SdpaRow> rows;
};

// Of the random numbers in all runs.
inline constexpr std::uint64_t kSdpaSeed = 1;

struct SdpaOptions {
  std::string directory;
  int jobs = 1;
  std::uint64_t largest_rows = 32768;   // of runs in time alone
  std::uint64_t largest_values = 8192;  // of runs with values
  std::size_t dim = 64;
  // The same head (rows, dim) on the systolic machine; without it the comparison stays open.
  std::function<workloads::SystolicAttention(std::uint64_t rows, std::size_t dim)> systolic;
  std::function<void(const std::string& step)> progress;
};

struct SdpaSummary {
  std::vector<SdpaClaim> claims;
  std::size_t passed = 0, deviations = 0, open = 0;
};

// Runs everything and writes, each file as a whole, into the directory:
//   sdpa.csv             experiment,item,paper,ours,ratio,cause
//   sdpa.md              the same, claim by claim
//   sdpa_depths.csv      graph,rows,interval,fifo,depth,cycles,throughput      (cycles empty: deadlock)
//   sdpa_occupancy.csv   graph,rows,fifo,depth,peak,unbounded_peak,smallest_depth
//   sdpa_speed.csv       graph,rows,seconds,published_seconds
SdpaSummary reproduce_sdpa(const SdpaOptions& options);

}  // namespace systole::study
