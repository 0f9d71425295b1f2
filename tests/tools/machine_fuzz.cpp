// Runs random legal programs on the cycle-accurate machine and on the oracle and compares the memory they leave.
//   machine_fuzz FIRST_SEED COUNT [--jobs N] [--machine INDEX] [--shrink DIR]
//   machine_fuzz --trace IN OUT
// With --shrink the first program that differs is made small and written to DIR as a trace; --trace does so with a
// trace that differs. Exit code 1 when one differs.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <string>

#include "hw/top/machine.h"
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

// Fills and checked ranges have nothing in common: a run's results can be cleared for the next one.
bool results_are_apart(const isa::Trace& trace) {
  for (const isa::Fill& fill : trace.fills) {
    for (const isa::CheckRange& check : trace.checks) {
      if (fill.address < check.address + check.bytes && check.address < fill.address + fill.bytes) return false;
    }
  }
  return true;
}

// Both in one memory, which is filled once: that takes a third of a program's time.
std::string run_in_one_memory(const isa::Trace& trace) {
  Memory memory;
  isa::apply_fills(trace, memory);
  isa::Model(isa::geometry_of(trace), memory).run(trace.program);
  const std::uint32_t expected = isa::check_crcs(trace, memory).at(0);
  for (const isa::CheckRange& check : trace.checks) std::memset(memory.at(check.address, check.bytes), 0, check.bytes);
  hw::MachineOptions options;
  options.max_cycles = kMaxCycles;
  options.loop_conv_revision = trace.loop_conv_encoding;
  hw::Machine machine(config::trace_machine(trace).params, memory, options);
  static_cast<void>(machine.run(trace.program));
  const std::uint32_t actual = isa::check_crcs(trace, memory).at(0);
  return actual == expected ? "" : "memory differs: oracle " + crc32_text(expected) + ", machine " + crc32_text(actual);
}

std::string machine_result(const isa::Trace& trace) {
  replay::ReplayOptions options;
  options.max_cycles = kMaxCycles;
  const replay::ReplayResult result = replay::replay_trace(trace, config::trace_machine(trace).params, options);
  return crc32_text(result.measured.checks->at(0).crc32);
}

// Empty when both agree. A task of its own: one machine per process.
std::string run_both(const isa::Trace& trace) {
  if (results_are_apart(trace)) return run_in_one_memory(trace);
  const std::string expected = oracle_result(trace);
  const std::string actual = machine_result(trace);
  return actual == expected ? "" : "memory differs: oracle " + expected + ", machine " + actual;
}

std::string difference_of(const TaskResult& result) {
  return result.end != TaskEnd::kDone && result.text.empty() ? "crashed" : result.text;
}

// Single-ported accumulators: the RTL stops with an assertion ("we ran out of acc-sub-bank write q entries", "you cannot accumulate to an
// AccumulatorMem address until previous writes to that address have completed", AccumulatorMem.scala), and so does the machine. Which programs do
// that depends on cycles, so that the generator cannot avoid it.
bool is_refused(const TaskResult& result, const test::ProgramPlan& plan) {
  const bool single_ported = std::any_of(plan.timing.begin(), plan.timing.end(), [](const isa::MachineSetting& s) { return s.key == "accumulator.ports"; });
  return single_ported && result.end == TaskEnd::kModelError &&
         (result.text.find("write queue of an accumulator sub-bank overflows") != std::string::npos ||
          result.text.find("while an earlier write of the row is under way") != std::string::npos);
}
constexpr std::size_t kMostRefusedPerThousand = 10;

// What distinguishes one failure from another: its text without numbers.
std::string kind_of(const std::string& difference) {
  std::string kind;
  for (const char c : difference.substr(0, difference.find('\n'))) {
    if (c < '0' || c > '9') kind += c;
  }
  return kind.substr(0, kind.find("oracle"));
}

// Empty when the machine and the oracle agree.
std::string failure(const isa::Trace& trace) {
  std::string difference;
  run_tasks(
      1, 1, [&](std::size_t) { return run_both(trace); },
      [&](std::size_t, const TaskResult& result) { difference = difference_of(result); });
  return difference;
}

void shrink(std::uint64_t seed, const test::PlanOptions& options, const std::string& directory) {
  const std::string kind = kind_of(failure(test::emit(test::make_plan(seed, options))));
  const test::Fails fails = [&](const isa::Trace& trace) { return kind_of(failure(trace)) == kind; };
  const test::ProgramPlan plan = test::shrink(test::make_plan(seed, options), fails);
  const isa::Trace trace = test::emit(plan);
  const isa::Trace small = test::shrink_items(trace, fails);
  const std::string path = directory + "/fuzz_" + std::to_string(seed);
  write_atomically(path + ".steps.trace", isa::format_trace(trace));
  write_atomically(path + ".trace", isa::format_trace(small));
  std::cout << "seed " << seed << ": " << plan.steps.size() << " steps, " << trace.program.items.size()
            << " items, then " << small.program.items.size() << " items: " << path << ".trace\n";
}

}  // namespace

// libsystemc has a main() of its own that calls sc_main(); it is never called.
extern "C" int sc_main(int, char**) { return 1; }

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: machine_fuzz FIRST_SEED COUNT [--jobs N] [--machine INDEX] [--shrink DIR]\n       "
                 "machine_fuzz --trace IN OUT\n";
    return 2;
  }
  if (argc == 4 && std::strcmp(argv[1], "--trace") == 0) {
    const isa::Trace trace = isa::read_trace(argv[2]);
    const std::string kind = kind_of(failure(trace));
    std::cout << argv[2] << ": " << (kind.empty() ? "equal" : failure(trace)) << "\n";
    if (kind.empty()) return 0;
    write_atomically(argv[3], isa::format_trace(test::shrink_items(
                                  trace, [&](const isa::Trace& t) { return kind_of(failure(t)) == kind; })));
    return 1;
  }
  const std::uint64_t first = std::strtoull(argv[1], nullptr, 10);
  const std::size_t count = std::strtoull(argv[2], nullptr, 10);
  int jobs = 1;
  std::string directory;
  test::PlanOptions options;
  for (int i = 3; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--jobs") == 0) jobs = std::atoi(argv[i + 1]);
    if (std::strcmp(argv[i], "--machine") == 0)
      options.geometry = test::machines().at(std::strtoull(argv[i + 1], nullptr, 10));
    if (std::strcmp(argv[i], "--shrink") == 0) directory = argv[i + 1];
  }
  std::map<std::size_t, std::string> differences;
  std::size_t refused = 0;
  run_tasks(
      count, jobs, [&](std::size_t i) { return run_both(test::emit(test::make_plan(first + i, options))); },
      [&](std::size_t i, const TaskResult& result) {
        if (is_refused(result, test::make_plan(first + i, options))) {
          ++refused;
          return;
        }
        const std::string difference = difference_of(result);
        if (!difference.empty()) differences[i] = difference;
      });
  for (const auto& [i, difference] : differences) {
    std::cout << "seed " << first + i << ": " << difference << "\n   ";
    for (const isa::MachineSetting& setting : test::emit(test::make_plan(first + i, options)).machine) std::cout << " " << setting.key << "=" << setting.value;
    std::cout << "\n";
  }
  std::cout << count - refused - differences.size() << " of " << count << " programs equal";
  if (refused != 0) std::cout << ", " << refused << " end as the RTL does, with an assertion";
  std::cout << "\n";
  const bool blind = refused > 2 && refused * 1000 > count * kMostRefusedPerThousand;
  if (!differences.empty() && !directory.empty()) shrink(first + differences.begin()->first, options, directory);
  return differences.empty() && !blind ? 0 : 1;
}
