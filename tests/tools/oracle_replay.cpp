// Runs RoCC traces on the oracle and compares the memory with the expectation beside each trace.
//   oracle_replay [--verbose] TRACE...      exit code 1 when a memory range differs or a trace cannot be run
#include <chrono>
#include <cstring>
#include <iostream>
#include <string>

#include "isa/expectation.h"
#include "isa/geometry.h"
#include "isa/model/model.h"
#include "isa/trace.h"
#include "sim/base/crc32.h"

using namespace systole;

namespace {

// The first difference as text; empty when equal.
std::string replay(const std::string& path, isa::Overflows& overflows, std::size_t& ranges) {
  const isa::Trace trace = isa::read_trace(path);
  const isa::Expectation expectation = isa::read_expectation(isa::expectation_path(path));
  Memory memory;
  isa::apply_fills(trace, memory);
  isa::Model model(isa::geometry_of(trace), memory);
  model.run(trace.program);
  overflows = model.overflows();
  const std::vector<std::uint32_t> crcs = isa::check_crcs(trace, memory);
  const std::size_t expected = expectation.checks ? expectation.checks->size() : 0;
  if (crcs.size() != expected)
    return std::to_string(crcs.size()) + " ranges, " + std::to_string(expected) + " expected";
  ranges += expected;
  for (std::size_t i = 0; i < expected; ++i) {
    if (crcs[i] == (*expectation.checks)[i].crc32) continue;
    return "range " + std::to_string(i) + " of " + std::to_string(expected) +
           " differs: " + crc32_text((*expectation.checks)[i].crc32) + " expected, " + crc32_text(crcs[i]);
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  bool verbose = false;
  int traces = 0;
  int bad = 0;
  std::size_t ranges = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--verbose") == 0) {
      verbose = true;
      continue;
    }
    ++traces;
    const auto start = std::chrono::steady_clock::now();
    isa::Overflows overflows;
    std::string difference;
    try {
      difference = replay(argv[i], overflows, ranges);
    } catch (const std::exception& error) {
      difference = error.what();
    }
    if (!difference.empty()) ++bad;
    if (!difference.empty() || verbose) {
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      std::cout << argv[i] << ": " << (difference.empty() ? "equal" : difference) << " (" << seconds.count()
                << " s; wraps: gelu " << overflows.gelu << ", exp sum " << overflows.exp_sum << ", variance "
                << overflows.variance << ", sum " << overflows.row_sum << ", accumulate " << overflows.accumulate
                << ", array " << overflows.array << ")\n";
    }
  }
  std::cout << traces - bad << " of " << traces << " traces equal, " << ranges << " memory ranges\n";
  return bad == 0 ? 0 : 1;
}
