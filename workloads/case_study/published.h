#pragma once
// What "Full Stack Optimization of Transformer Inference: a Survey" (arXiv 2302.14017v1) prints, digit by digit. The
// numbers stand in the .def files beside this one.
#include <cstdint>
#include <string>
#include <vector>

namespace systole::workloads {

// One number of the workload analysis.
struct PrintedCount {
  std::string place;    // "table 3"
  std::string network;  // "bert-base" "bert-large" "gpt2" "bert-base-4-heads"
  std::uint64_t seq = 0;
  std::string row;  // "projections" "attention" "feed-forward" "other" "total"
  std::string
      metric;  // "gflop" "gmop" "intensity"; "flop_percent" "mop_percent" or, as a fraction, "flop_share" "mop_share"
  std::string printed;    // as it stands there: "0.006"
  std::string objection;  // why the paper contradicts itself here; empty: it does not
};
[[nodiscard]] const std::vector<PrintedCount>& printed_counts();

// A row of table 12.
struct PrintedConvolution {
  std::uint64_t kernel, in_channels, out_channels, size, repeats;
  std::string gflop, gmop, intensity;
};
[[nodiscard]] const std::vector<PrintedConvolution>& printed_convolutions();

// Table 5: intensity with the traffic of the memories; operators as in estimate/analytical_model.h, and "total".
struct PrintedIntensity {
  std::uint64_t seq;
  std::string name, printed;
};
[[nodiscard]] const std::vector<PrintedIntensity>& printed_intensities();

// Figure 32.
struct PrintedLatency {
  std::string network;
  std::uint64_t seq;
  std::string printed;
};
[[nodiscard]] const std::vector<PrintedLatency>& printed_latencies();

// Whether `value`, rounded to as many decimals as `printed` has, is `printed`. A value within a billionth of the middle
// between two counts as either: the paper does not say how it rounds.
[[nodiscard]] bool equals_printed(double value, const std::string& printed);
// Decimals behind the point of "0.006": 3.
[[nodiscard]] int decimals_of(const std::string& printed);

}  // namespace systole::workloads
