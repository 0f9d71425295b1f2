#include "workloads/case_study/published.h"

#include <cmath>
#include <cstdlib>

namespace systole::workloads {

const std::vector<PrintedCount>& printed_counts() {
  static const std::vector<PrintedCount> table = {
#define SYSTOLE_PRINTED(place, network, seq, row, metric, printed, objection) \
  {place, network, seq, row, metric, printed, objection},
#include "workloads/case_study/workload_analysis.def"
#undef SYSTOLE_PRINTED
  };
  return table;
}

const std::vector<PrintedConvolution>& printed_convolutions() {
  static const std::vector<PrintedConvolution> table = {
#define SYSTOLE_PRINTED_CONVOLUTION(kernel, in, out, size, repeats, gflop, gmop, intensity) \
  {kernel, in, out, size, repeats, gflop, gmop, intensity},
#include "workloads/case_study/convolutions.def"
#undef SYSTOLE_PRINTED_CONVOLUTION
  };
  return table;
}

#define SYSTOLE_PRINTED_INTENSITY(seq, name, printed) {seq, name, printed},
#define SYSTOLE_PRINTED_LATENCY(network, seq, printed)
const std::vector<PrintedIntensity>& printed_intensities() {
  static const std::vector<PrintedIntensity> table = {
#include "workloads/case_study/analytical_model.def"
  };
  return table;
}
#undef SYSTOLE_PRINTED_INTENSITY
#undef SYSTOLE_PRINTED_LATENCY

#define SYSTOLE_PRINTED_INTENSITY(seq, name, printed)
#define SYSTOLE_PRINTED_LATENCY(network, seq, printed) {network, seq, printed},
const std::vector<PrintedLatency>& printed_latencies() {
  static const std::vector<PrintedLatency> table = {
#include "workloads/case_study/analytical_model.def"
  };
  return table;
}
#undef SYSTOLE_PRINTED_INTENSITY
#undef SYSTOLE_PRINTED_LATENCY

int decimals_of(const std::string& printed) {
  const std::size_t point = printed.find('.');
  return point == std::string::npos ? 0 : static_cast<int>(printed.size() - point - 1);
}

bool equals_printed(double value, const std::string& printed) {
  const double unit = std::pow(10.0, -decimals_of(printed));
  return std::abs(value - std::strtod(printed.c_str(), nullptr)) <= unit / 2 * (1 + 1e-9);
}

}  // namespace systole::workloads
