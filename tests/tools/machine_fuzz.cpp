// Runs random legal programs on the cycle-accurate machine and on the oracle and compares the memory they leave.
//   machine_fuzz FIRST_SEED COUNT [--jobs N] [--machine INDEX] [--shrink DIR]
// With --shrink the first program that differs is made small and written to DIR as a trace. Exit code 1 when one differs.
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <string>

#include "isa/model/model.h"
#include "isa/trace.h"
#include "sim/base/crc32.h"
#include "sim/base/file.h"
#include "sim/base/process_pool.h"
#include "sim/config/trace_machine.h"
#include "sim/replay/replay.h"
#include "tests/support/program_generator.h"

using namespace systole;

namespace {

constexpr Cycle kMaxCycles = 5'000'000;

std::string oracle_result(const isa::Trace& trace) {
  Memory memory(0x80000000, 1 << 26);
  isa::apply_fills(trace, memory);
  isa::Model(isa::geometry_of(trace), memory).run(trace.program);
  return crc32_text(isa::check_crcs(trace, memory).at(0));
}

std::string machine_result(const isa::Trace& trace) {
  replay::ReplayOptions options;
  options.max_cycles = kMaxCycles;
  const replay::ReplayResult result = replay::replay_trace(trace, config::trace_machine(trace).params, options);
  return crc32_text(result.measured.checks->at(0).crc32);
}

// Empty when both agree.
std::string compare(const isa::Trace& trace, const TaskResult& result) {
  const std::string expected = oracle_result(trace);
  if (result.end != TaskEnd::kDone) return result.text.empty() ? "crashed" : result.text;
  return result.text == expected ? "" : "memory differs: oracle " + expected + ", machine " + result.text;
}

bool fails(const isa::Trace& trace) {
  bool different = false;
  run_tasks(1, 1, [&](std::size_t) { return machine_result(trace); },
            [&](std::size_t, const TaskResult& result) { different = !compare(trace, result).empty(); });
  return different;
}

void shrink(std::uint64_t seed, const test::PlanOptions& options, const std::string& directory) {
  const test::ProgramPlan plan = test::shrink(test::make_plan(seed, options), fails);
  const isa::Trace trace = test::emit(plan);
  const isa::Trace small = test::shrink_items(trace, fails);
  const std::string path = directory + "/fuzz_" + std::to_string(seed);
  write_atomically(path + ".steps.trace", isa::format_trace(trace));
  write_atomically(path + ".trace", isa::format_trace(small));
  std::cout << "seed " << seed << ": " << plan.steps.size() << " steps, " << trace.program.items.size() << " items, then " << small.program.items.size() << " items: " << path << ".trace\n";
}

}  // namespace

// libsystemc has a main() of its own that calls sc_main(); it is never called.
extern "C" int sc_main(int, char**) { return 1; }

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: machine_fuzz FIRST_SEED COUNT [--jobs N] [--machine INDEX] [--shrink DIR]\n";
    return 2;
  }
  const std::uint64_t first = std::strtoull(argv[1], nullptr, 10);
  const std::size_t count = std::strtoull(argv[2], nullptr, 10);
  int jobs = 1;
  std::string directory;
  test::PlanOptions options;
  for (int i = 3; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--jobs") == 0) jobs = std::atoi(argv[i + 1]);
    if (std::strcmp(argv[i], "--machine") == 0) options.geometry = test::machines().at(std::strtoull(argv[i + 1], nullptr, 10));
    if (std::strcmp(argv[i], "--shrink") == 0) directory = argv[i + 1];
  }
  std::map<std::size_t, std::string> differences;
  run_tasks(count, jobs, [&](std::size_t i) { return machine_result(test::emit(test::make_plan(first + i, options))); },
            [&](std::size_t i, const TaskResult& result) {
              const std::string difference = compare(test::emit(test::make_plan(first + i, options)), result);
              if (!difference.empty()) differences[i] = difference;
            });
  for (const auto& [i, difference] : differences) std::cout << "seed " << first + i << ": " << difference << "\n";
  std::cout << count - differences.size() << " of " << count << " programs equal\n";
  if (!differences.empty() && !directory.empty()) shrink(first + differences.begin()->first, options, directory);
  return differences.empty() ? 0 : 1;
}
