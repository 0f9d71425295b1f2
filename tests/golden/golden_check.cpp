// Replays recorded streams and compares every key, and the accounts of all units with recorded ones; ends at the first difference.
//   golden_check [--accounts FILE] [--write] [--max-cycles N] [--jobs N] TRACE...
//   golden_check --seeds FIRST COUNT [--jobs N]       a checksum of everything that each of these random programs leaves, one line each
//   golden_check --emit SEED DIRECTORY                the random program and its expectation as DIRECTORY/pin_SEED.*
// FILE has one line per stream and unit: "category/stream unit: state cycles, ...". With --write it is written instead of compared.
// The accounts are our own, not the RTL's: a change of their meaning is a reason to write them anew, with a sentence saying why.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "isa/expectation.h"
#include "isa/trace.h"
#include "sim/base/crc32.h"
#include "sim/base/file.h"
#include "sim/base/process_pool.h"
#include "sim/config/trace_machine.h"
#include "sim/replay/replay.h"

#include "tests/support/program_generator.h"

using namespace systole;

namespace {

constexpr std::size_t kBatch = 16;   // streams between two looks at the results

struct Options {
  std::string accounts;
  bool write = false;
  Cycle max_cycles = 10'000'000;
  int jobs = 1;
  std::vector<std::string> traces;
};

// "category/stream".
std::string name_of(const std::string& path) {
  const std::filesystem::path file(path);
  return file.parent_path().filename().string() + "/" + file.stem().string();
}

std::string account_text(const std::string& stream, const std::vector<hw::UnitAccount>& accounts) {
  std::ostringstream out;
  for (const hw::UnitAccount& account : accounts) {
    out << stream << ' ' << account.unit << ':';
    const char* separator = " ";
    for (const hw::StateCycles& state : account.states) {
      if (state.cycles == 0) continue;
      out << separator << state.name << ' ' << state.cycles;
      separator = ", ";
    }
    out << '\n';
  }
  return out.str();
}

// The recorded lines of each stream.
std::map<std::string, std::string> read_accounts(const std::string& path) {
  std::map<std::string, std::string> streams;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) streams[line.substr(0, line.find(' '))] += line + "\n";
  return streams;
}

// First line: empty, or what differs; then the accounts.
std::string run(const std::string& path, const Options& options) {
  const isa::Trace trace = isa::read_trace(path);
  replay::ReplayOptions replay;
  replay.max_cycles = options.max_cycles;
  const replay::ReplayResult result = replay::replay_trace(trace, config::trace_machine(trace).params, replay);
  const isa::Expectation expected = isa::read_expectation(isa::expectation_path(path));
  std::string difference = isa::first_difference(expected, result.measured);
  // Also the set of keys, which --json-dir promises.
  if (difference.empty() && isa::format_expectation(expected) != isa::format_expectation(result.measured)) difference = "not the same keys";
  return difference + "\n" + account_text(name_of(path), result.run.accounts);
}

// Short random programs.
isa::Trace random_program(std::uint64_t seed) {
  test::PlanOptions plan;
  plan.min_steps = 1;
  plan.max_steps = 4;
  return test::emit(test::make_plan(seed, plan));
}

std::string measure(const isa::Trace& trace, const Options& options, const std::string& name) {
  replay::ReplayOptions replay;
  replay.max_cycles = options.max_cycles;
  const replay::ReplayResult result = replay::replay_trace(trace, config::trace_machine(trace).params, replay);
  return isa::format_expectation(result.measured) + "\n" + account_text(name, result.run.accounts);
}

int print_seeds(std::uint64_t first, std::size_t count, const Options& options) {
  std::vector<std::string> lines(count);
  run_tasks(
      count, options.jobs,
      [&](std::size_t i) {
        const isa::Trace trace = random_program(first + i);
        const std::string text = measure(trace, options, "random");
        return std::to_string(trace.program.items.size()) + " " + crc32_text(crc32_of(text.data(), text.size()));
      },
      [&](std::size_t i, const TaskResult& result) { lines[i] = result.end == TaskEnd::kDone ? result.text : "0 failed"; });
  for (std::size_t i = 0; i < count; ++i) std::cout << first + i << ' ' << lines[i] << '\n';
  return 0;
}

int emit_seed(std::uint64_t seed, const std::string& directory, const Options& options) {
  const isa::Trace trace = random_program(seed);
  const std::string path = directory + "/pin_" + std::to_string(seed);
  const std::string text = measure(trace, options, "random");
  write_atomically(path + ".trace", isa::format_trace(trace));
  write_atomically(path + ".expect.json", text.substr(0, text.find("\nrandom ")));
  return 0;
}

std::string difference(const std::string& recorded, const std::string& actual) {
  std::istringstream left(recorded), right(actual);
  for (std::string a, b; std::getline(left, a) && std::getline(right, b);) {
    if (a != b) return "accounts: recorded " + a + " | now " + b;
  }
  return recorded == actual ? "" : "accounts of other units than recorded";
}

}  // namespace

// libsystemc has a main() of its own that calls sc_main(); it is never called.
extern "C" int sc_main(int, char**) { return 1; }

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool value = i + 1 < argc;
    if (word == "--write") options.write = true;
    else if (word == "--accounts" && value) options.accounts = argv[++i];
    else if (word == "--max-cycles" && value) options.max_cycles = std::strtoull(argv[++i], nullptr, 10);
    else if (word == "--jobs" && value) options.jobs = std::atoi(argv[++i]);
    else options.traces.push_back(word);
  }
  if (options.traces.size() == 3 && options.traces[0] == "--seeds") {
    return print_seeds(std::strtoull(options.traces[1].c_str(), nullptr, 10), std::strtoull(options.traces[2].c_str(), nullptr, 10), options);
  }
  if (options.traces.size() == 3 && options.traces[0] == "--emit") {
    return emit_seed(std::strtoull(options.traces[1].c_str(), nullptr, 10), options.traces[2], options);
  }
  if (options.traces.empty()) {
    std::cerr << "usage: golden_check [--accounts FILE] [--write] [--max-cycles N] [--jobs N] TRACE...\n";
    return 2;
  }
  const std::map<std::string, std::string> recorded = options.write ? std::map<std::string, std::string>{} : read_accounts(options.accounts);
  if (!options.accounts.empty() && !options.write && recorded.empty()) {
    std::cerr << options.accounts << " is missing or empty\n";
    return 2;
  }
  std::string written;
  int failures = 0;
  for (std::size_t begin = 0; begin < options.traces.size() && failures == 0; begin += kBatch) {
    const std::size_t count = std::min(kBatch, options.traces.size() - begin);
    std::vector<std::string> accounts(count);
    run_tasks(
        count, options.jobs, [&](std::size_t i) { return run(options.traces[begin + i], options); },
        [&](std::size_t i, const TaskResult& result) {
          const std::string& path = options.traces[begin + i];
          std::string problem = result.text.substr(0, result.text.find('\n'));
          if (result.end != TaskEnd::kDone && problem.empty()) problem = "crashed";
          if (result.end == TaskEnd::kDone) accounts[i] = result.text.substr(result.text.find('\n') + 1);
          const auto line = recorded.find(name_of(path));
          if (problem.empty() && line != recorded.end()) problem = difference(line->second, accounts[i]);
          if (problem.empty()) return;
          ++failures;
          std::cout << path << ": " << problem << '\n';
        });
    for (const std::string& text : accounts) written += text;
  }
  if (options.write && failures == 0) write_atomically(options.accounts, written);
  if (failures == 0) std::cout << options.traces.size() << " streams equal\n";
  return failures == 0 ? 0 : 1;
}
