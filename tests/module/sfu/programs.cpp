#include "tests/module/sfu/programs.h"

#include <fmt/format.h>

#include <sstream>

#include "isa/assembler.h"
#include "isa/trace.h"
#include "sim/base/crc32.h"
#include "sim/base/process_pool.h"
#include "sim/config/trace_machine.h"
#include "sim/replay/replay.h"

namespace systole::test {
namespace {

isa::Trace trace_of(const std::string& settings, const std::string& fill, const std::string& text) {
  isa::Trace trace = isa::parse_trace("# systole-trace 1\nmachine sfu.normaliser=1 " + settings + "\nmem latency=20 beat_bytes=16\n" + fill +
                                          fmt::format("fence\ncheck {:x} {}\n", kOut, kOutBytes),
                                      "case");
  trace.program.items = isa::assemble(text + ".fence\n", "case").items;
  return trace;
}

}  // namespace

Outcome run_program(const std::string& settings, const std::string& fill, const std::string& text, bool timing_only) {
  const isa::Trace trace = trace_of(settings, fill, text);
  const auto on_machine = [&](std::size_t) {
    replay::ReplayOptions options;
    options.timing_only = timing_only;
    const replay::ReplayResult result = replay::replay_trace(trace, config::trace_machine(trace).params, options);
    std::string lines = timing_only ? "none\n" : crc32_text(result.measured.checks->at(0).crc32) + "\n";
    lines += fmt::format("{}\n", result.run.cycles);
    for (const hw::Counter& counter : result.run.counters) lines += fmt::format("counter {} {}\n", counter.name, counter.value);
    for (const std::string& warning : result.run.warnings) lines += "warning " + warning + "\n";
    return lines;
  };
  Outcome outcome;
  run_tasks(1, 1, on_machine, [&](std::size_t, const TaskResult& result) {
    std::istringstream lines(text_or_throw(result));
    std::string word, line;
    std::getline(lines, outcome.memory);
    lines >> outcome.cycles;
    while (lines >> word) {
      if (word == "counter") {
        lines >> word;
        lines >> outcome.counters[word];
      } else {
        std::getline(lines, line);
        outcome.warnings.push_back(line);
      }
    }
  });
  Memory memory(0x80000000, 1 << 24);
  isa::apply_fills(trace, memory);
  isa::Model model(isa::geometry_of(trace), memory);
  model.run(trace.program);
  outcome.oracle = model.overflows();
  outcome.oracle_memory = crc32_text(isa::check_crcs(trace, memory).at(0));
  return outcome;
}

std::string words(std::int64_t low, std::int64_t high) { return fmt::format("fill {:x} 65536 int32 {} {} 7\n", kIn, low, high); }
std::string bytes(int low, int high) { return fmt::format("fill {:x} 65536 int8 {} {} 7\n", kIn, low, high); }

const char* const kLoadWords = "config_ld scale=1f stride=64\nmvin dram=0x80001000 local=0x80000000 cols=16 rows=16\n.fence\n";

std::string pass(isa::NormCommand command, int row) {
  return fmt::format("mvout dram={} local={} cols=16 rows=1\n", kOut + 16 * static_cast<unsigned>(row),
                     0x80000000u | static_cast<unsigned>(command) << isa::LocalAddress::kNormCommandShift | static_cast<unsigned>(row));
}

std::string exponential_constants(int qb, int qc) {
  return fmt::format(
      "config_norm activation_msb=1 q_const=693 qb={0} qc={1}\n"
      "config_norm activation_msb=1 q_const_type=1 q_const=94 qb={0} qc={1}\n",
      qb, qc);
}

std::string layer_norm() {
  return "config_st stride=16 activation=2 acc_scale=1f\n" + pass(isa::NormCommand::kMean) + pass(isa::NormCommand::kInvStddev) + pass(isa::NormCommand::kReset);
}
std::string softmax(int qb, int qc) {
  return "config_st stride=16 acc_scale=1f\n" + exponential_constants(qb, qc) + ".fence\n" + pass(isa::NormCommand::kMax) + pass(isa::NormCommand::kInvSumExp) +
         pass(isa::NormCommand::kReset);
}

}  // namespace systole::test
