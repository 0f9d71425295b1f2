// Prints a checksum of everything that runs leave: expectation, accounts of all units and regions, counters, warnings, or the error. Two
// builds that print the same text behave the same; this is how a change that must not change a count is checked.
//   run_digest JOBS TRACE|DIRECTORY...        recorded streams
//   run_digest JOBS --random FIRST COUNT      random programs (tests/support/program_generator.h)
//   run_digest JOBS --show SEED|TRACE         the text itself
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "isa/expectation.h"
#include "isa/trace.h"
#include "sim/app/trace_files.h"
#include "sim/base/crc32.h"
#include "sim/base/process_pool.h"
#include "sim/config/trace_machine.h"
#include "sim/replay/replay.h"
#include "tests/support/program_generator.h"
#include "tests/support/run_text.h"

using namespace systole;

namespace {

std::string describe(const isa::Trace& trace) {
  replay::ReplayOptions options;
  options.max_cycles = 50'000'000;
  std::ostringstream out;
  try {
    const replay::ReplayResult result = replay::replay_trace(trace, config::trace_machine(trace).params, options);
    out << isa::format_expectation(result.measured) << '\n';
    test::append_accounts(out, result.run.accounts);
    test::append_regions(out, result.run.regions);
    for (const hw::Counter& counter : result.run.counters) out << counter.name << ' ' << counter.value << '\n';
    for (const std::string& warning : result.run.warnings) out << warning << '\n';
  } catch (const std::exception& error) {
    out << "error: " << error.what() << '\n';
  }
  return out.str();
}

isa::Trace random_trace(std::uint64_t seed) { return test::emit(test::make_plan(seed, test::PlanOptions{})); }

}  // namespace

// libsystemc has a main() of its own that calls sc_main(); it is never called.
extern "C" int sc_main(int, char**) { return 1; }

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: run_digest JOBS TRACE|DIRECTORY... | run_digest JOBS --random FIRST COUNT | run_digest JOBS --show SEED|TRACE\n";
    return 2;
  }
  if (argc == 4 && std::strcmp(argv[2], "--show") == 0) {
    const bool number = std::strspn(argv[3], "0123456789") == std::strlen(argv[3]);
    std::cout << describe(number ? random_trace(std::strtoull(argv[3], nullptr, 10)) : isa::read_trace(argv[3]));
    return 0;
  }
  const bool random = argc == 5 && std::strcmp(argv[2], "--random") == 0;
  const std::uint64_t first = random ? std::strtoull(argv[3], nullptr, 10) : 0;
  std::vector<app::TraceFile> files;
  if (!random) files = app::find_traces({argv + 2, argv + argc});
  const std::size_t count = random ? std::strtoull(argv[4], nullptr, 10) : files.size();
  std::vector<std::string> lines(count);
  run_tasks(
      count, std::atoi(argv[1]),
      [&](std::size_t i) {
        const std::string text = describe(random ? random_trace(first + i) : isa::read_trace(files[i].path));
        return crc32_text(crc32_of(text.data(), text.size()));
      },
      [&](std::size_t i, const TaskResult& result) { lines[i] = result.text; });
  for (std::size_t i = 0; i < count; ++i) std::cout << (random ? "seed " + std::to_string(first + i) : files[i].path) << ' ' << lines[i] << '\n';
  return 0;
}
