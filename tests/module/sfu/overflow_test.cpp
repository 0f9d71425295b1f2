// Programs that run into the machine's limited widths: the machine wraps as the oracle does, and counts it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <sstream>
#include <string>

#include "isa/assembler.h"
#include "isa/model/model.h"
#include "isa/trace.h"
#include "sim/base/crc32.h"
#include "sim/base/process_pool.h"
#include "sim/config/trace_machine.h"
#include "sim/replay/replay.h"

namespace systole {
namespace {

constexpr std::uint64_t kIn = 0x80001000;
constexpr std::uint64_t kOut = 0x80040000;
constexpr std::uint64_t kOutBytes = 4096;

struct Outcome {
  std::map<std::string, std::uint64_t> counters;   // of the machine
  std::string memory;                              // checksum of the output; the oracle's is the same
  isa::Overflows oracle;
};

// Assembly for a 16x16 machine, with `fill` as input.
isa::Trace trace_of(const std::string& settings, const std::string& fill, const std::string& text) {
  isa::Trace trace = isa::parse_trace("# systole-trace 1\nmachine sfu.normaliser=1 " + settings + "\nmem latency=20 beat_bytes=16\n" + fill +
                                          fmt::format("fence\ncheck {:x} {}\n", kOut, kOutBytes),
                                      "case");
  trace.program.items = isa::assemble(text + ".fence\n", "case").items;
  return trace;
}

// On the machine (in a process of its own) and on the oracle; both must leave the same output.
Outcome run(const std::string& settings, const std::string& fill, const std::string& text, bool timing_only = false) {
  const isa::Trace trace = trace_of(settings, fill, text);
  const auto on_machine = [&](std::size_t) {
    replay::ReplayOptions options;
    options.timing_only = timing_only;
    const replay::ReplayResult result = replay::replay_trace(trace, config::trace_machine(trace).params, options);
    std::string lines = timing_only ? "memory 0\n" : "memory " + crc32_text(result.measured.checks->at(0).crc32) + "\n";
    for (const hw::Counter& counter : result.run.counters) lines += fmt::format("{} {}\n", counter.name, counter.value);
    return lines;
  };
  Outcome outcome;
  run_tasks(1, 1, on_machine, [&](std::size_t, const TaskResult& result) {
    std::istringstream lines(text_or_throw(result));
    std::string name, value;
    lines >> name >> outcome.memory;
    while (lines >> name >> value) outcome.counters[name] = std::stoull(value);
  });
  Memory memory(0x80000000, 1 << 24);
  isa::apply_fills(trace, memory);
  isa::Model model(isa::geometry_of(trace), memory);
  model.run(trace.program);
  outcome.oracle = model.overflows();
  if (!timing_only) {
    EXPECT_EQ(outcome.memory, crc32_text(isa::check_crcs(trace, memory).at(0)));
  }
  return outcome;
}

std::string words(std::int64_t low, std::int64_t high) { return fmt::format("fill {:x} 65536 int32 {} {} 7\n", kIn, low, high); }
std::string bytes(int low, int high) { return fmt::format("fill {:x} 65536 int8 {} {} 7\n", kIn, low, high); }

// One block of 16 words in accumulator row 0.
const char* const kLoadWords = "config_ld scale=1f stride=64\nmvin dram=0x80001000 local=0x80000000 cols=16 rows=16\n.fence\n";

std::string pass(isa::NormCommand command) {
  return fmt::format("mvout dram={} local={} cols=16 rows=1\n", kOut, 0x80000000u | static_cast<unsigned>(command) << isa::LocalAddress::kNormCommandShift);
}
std::string layer_norm() {
  return "config_st stride=16 activation=2 acc_scale=1f\n" + pass(isa::NormCommand::kMean) + pass(isa::NormCommand::kInvStddev) + pass(isa::NormCommand::kReset);
}
std::string softmax(int qb, int qc) {
  return fmt::format(
             "config_st stride=16 acc_scale=1f\nconfig_norm activation_msb=1 q_const=693 qb={0} qc={1}\n"
             "config_norm activation_msb=1 q_const_type=1 q_const=94 qb={0} qc={1}\n.fence\n",
             qb, qc) +
         pass(isa::NormCommand::kMax) + pass(isa::NormCommand::kInvSumExp) + pass(isa::NormCommand::kReset);
}
const char* const kGelu = "config_norm qb=-625 qc=-432825\nconfig_st stride=16 activation=3 acc_scale=-0.0000001f\nmvout dram=0x80040000 local=0x80000000 cols=16 rows=16\n";

TEST(Overflow, gelu_results_are_counted_one_by_one) {
  const Outcome large = run("", words(-2000000000, 2000000000), std::string(kLoadWords) + kGelu);
  EXPECT_GT(large.counters.at("sfu.overflow.gelu"), 100u);
  EXPECT_EQ(large.counters.at("sfu.overflow.gelu"), large.oracle.gelu);
  const Outcome small = run("", words(-1000, 1000), std::string(kLoadWords) + kGelu);
  EXPECT_EQ(small.counters.at("sfu.overflow.gelu"), 0u);
}

TEST(Overflow, sums_of_exponentials) {
  const Outcome large = run("", words(-100, 100), std::string(kLoadWords) + softmax(20000, 100));
  EXPECT_GT(large.counters.at("sfu.overflow.exp_sum"), 0u);
  EXPECT_GT(large.oracle.exp_sum, 0u);
  const Outcome small = run("", words(-100, 100), std::string(kLoadWords) + softmax(1353, 959832));
  EXPECT_EQ(small.counters.at("sfu.overflow.exp_sum"), 0u);
  EXPECT_EQ(small.oracle.exp_sum, 0u);
}

TEST(Overflow, sums_and_squares_of_layer_norm) {
  const Outcome large = run("", words(-100000, 100000), kLoadWords + layer_norm());
  EXPECT_GT(large.counters.at("sfu.overflow.variance"), 0u);
  EXPECT_GT(large.oracle.variance, 0u);
  const Outcome sum = run("", words(2000000000, 2000000100), kLoadWords + layer_norm());
  EXPECT_GT(sum.counters.at("sfu.overflow.variance"), 0u);
  const Outcome small = run("", words(-3000, 3000), kLoadWords + layer_norm());
  EXPECT_EQ(small.counters.at("sfu.overflow.variance"), 0u);
  // Extension E5: 64-bit sums do not overflow.
  const Outcome wide = run("sfu.wide_variance=1", words(-100000, 100000), std::string(kLoadWords) + "config_norm ext_select=4 q_const=1\n" + layer_norm());
  EXPECT_EQ(wide.counters.at("sfu.overflow.variance"), 0u);
}

TEST(Overflow, accumulator_additions_of_loads) {
  const std::string twice = std::string(kLoadWords) +
                            "mvin dram=0x80001000 local=0xC0000000 cols=16 rows=16\n.fence\nconfig_st stride=64 acc_scale=1f\n"
                            "mvout dram=0x80040000 local=0xA0000000 cols=16 rows=16\n";
  const Outcome large = run("", words(-2000000000, 2000000000), twice);
  EXPECT_GT(large.counters.at("accumulator.overflow"), 50u);
  EXPECT_EQ(large.counters.at("accumulator.overflow"), large.oracle.accumulate);
  EXPECT_EQ(run("", words(-1000000000, 1000000000), twice).counters.at("accumulator.overflow"), 0u);
}

// Bias near the limit, then the product of the array is added to it.
TEST(Overflow, accumulator_additions_of_the_array) {
  const Outcome large = run("", words(2147480000, 2147483647) + fmt::format("fill {:x} 4096 int8 100 127 9\n", kIn + 0x10000),
                            std::string(kLoadWords) +
                                "config_ld scale=1f stride=16\nmvin dram=0x80011000 local=0 cols=16 rows=16\nconfig_ex dataflow=1 a_stride=1 acc_scale=1f c_stride=1\n.fence\n"
                                "preload local=0 rows=16 cols=16 out_local=0xC0000000 out_rows=16 out_cols=16\n"
                                "compute_flip a_local=0 a_rows=16 a_cols=16 b_local=0xFFFFFFFF b_rows=16 b_cols=16\n.fence\n"
                                "config_st stride=64 acc_scale=1f\nmvout dram=0x80040000 local=0xA0000000 cols=16 rows=16\n");
  EXPECT_EQ(large.counters.at("accumulator.overflow"), 256u);
  EXPECT_EQ(large.oracle.accumulate, 256u);
  EXPECT_EQ(large.counters.at("array.overflow"), 0u);
}

// Output-stationary: the sums stay in the array, which is array.output_bits wide.
TEST(Overflow, partial_sums_inside_the_array) {
  const auto program = [](int products) {
    std::string text =
        "config_ld scale=1f stride=16\nmvin dram=0x80001000 local=0 cols=16 rows=16\nconfig_ex dataflow=0 a_stride=1 acc_scale=1f c_stride=1\n.fence\n"
        "preload local=0xFFFFFFFF rows=16 cols=16 out_local=0x80000000 out_rows=16 out_cols=16\n"
        "compute_flip a_local=0 a_rows=16 a_cols=16 b_local=0 b_rows=16 b_cols=16\n";
    for (int i = 1; i < products; ++i) {
      text += "preload local=0xFFFFFFFF rows=16 cols=16 out_local=0x80000000 out_rows=16 out_cols=16\ncompute_stay a_local=0 a_rows=16 a_cols=16 b_local=0 b_rows=16 b_cols=16\n";
    }
    return text + ".fence\nconfig_st stride=64 acc_scale=1f\nmvout dram=0x80040000 local=0xA0000000 cols=16 rows=16\n";
  };
  const Outcome one = run("", bytes(120, 127), program(1));
  EXPECT_EQ(one.counters.at("array.overflow"), 0u);
  const Outcome four = run("", bytes(120, 127), program(4));
  EXPECT_GT(four.counters.at("array.overflow"), 100u);
  EXPECT_EQ(four.counters.at("array.overflow"), four.oracle.array);
  const Outcome wide = run("array.output_bits=32", bytes(120, 127), program(4));
  EXPECT_EQ(wide.counters.at("array.overflow"), 0u);
}

// An array so large that one product can leave its width.
TEST(Overflow, one_product_in_a_narrow_array) {
  const char* const program =
      "config_ld scale=1f stride=16\nmvin dram=0x80001000 local=0 cols=16 rows=16\nconfig_ex dataflow=1 a_stride=1 acc_scale=1f c_stride=1\n.fence\n"
      "preload local=0 rows=16 cols=16 out_local=0x80000000 out_rows=16 out_cols=16\n"
      "compute_flip a_local=0 a_rows=16 a_cols=16 b_local=0xFFFFFFFF b_rows=16 b_cols=16\n.fence\n"
      "config_st stride=64 acc_scale=1f\nmvout dram=0x80040000 local=0xA0000000 cols=16 rows=16\n";
  const Outcome narrow = run("array.output_bits=18", bytes(100, 127), program);
  EXPECT_EQ(narrow.counters.at("array.overflow"), 256u);
  EXPECT_EQ(narrow.oracle.array, 256u);
}

TEST(Overflow, without_values_nothing_is_counted) {
  const Outcome run_without = run("", words(-2000000000, 2000000000), std::string(kLoadWords) + kGelu, true);
  for (const char* name : {"array.overflow", "accumulator.overflow", "sfu.overflow.gelu", "sfu.overflow.exp_sum", "sfu.overflow.variance"}) {
    EXPECT_EQ(run_without.counters.at(name), 0u) << name;
  }
}

// The exponential of 2025 on a machine of 2023, against the oracle; it is not the exponential of 2023.
TEST(ExponentialOfHead, is_an_option_of_its_own) {
  const std::string program = std::string(kLoadWords) + softmax(1353, 959832);
  const Outcome head = run("sfu.iexp_as_igelu=1", words(-3000, 3000), program);
  const Outcome stock = run("sfu.iexp_as_igelu=0", words(-3000, 3000), program);
  EXPECT_NE(head.memory, stock.memory);
}

}  // namespace
}  // namespace systole
