// Each reader of the isa folder under 20,000 random mutations of good input: a result, or a ConfigError.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "isa/assembler.h"
#include "isa/container.h"
#include "isa/expectation.h"
#include "isa/trace.h"
#include "tests/fuzz/parsers.h"
#include "tests/fuzz/text_mutation.h"
#include "tests/support/program_generator.h"

namespace systole::test {
namespace {

constexpr int kMutations = 20000;
constexpr std::uint64_t kSeed = 20240607;

isa::Program small_program() {
  isa::Program program = emit(make_plan(5, {std::nullopt, 3, 3, true, true})).program;
  program.items.resize(std::min<std::size_t>(program.items.size(), 60));
  program.region("layer.0/a \"quoted\" name", 17);
  program.symbols = {{"input", 0x80001000, 4096}, {"output", 0x80002000, 64}};
  program.image = {{0x80001000, {1, 2, 3, 0, 255}}, {0x80003000, std::vector<std::uint8_t>(100)}};
  program.host_ops = {{"softmax", {1, 2, 3}}};
  program.items.push_back({isa::ItemKind::kHostOp, {}, 0});
  program.fence();
  return program;
}

void run(const std::vector<std::string>& corpus, void (*parse)(std::string_view)) { EXPECT_EQ(first_escape(corpus, parse, kMutations, kSeed), ""); }

TEST(Mutation, assembler_accepts_or_refuses) {
  const std::string text = isa::disassemble(small_program());
  run({text,
       ".encoding revision=2023 loop_conv=2023\n.symbol x 0x80000000 64\n.segment 0x80000000\n.bytes 0011\n.word 1 "
       "-2\n.zero 100\n.fill 64 int8 -8 8 1\n"
       ".fill 8 int32 -8 8 1\nmvin dram=@x+16 local=garbage cols=1 rows=1\nconfig_ld scale=0.5f stride=16\n.host \"a "
       "b\" @x 1\n.gap 3\n.fence\n"},
      &parse_as_assembly);
}

TEST(Mutation, container_accepts_or_refuses) {
  run({isa::format_container(small_program()), isa::format_container({})}, &parse_as_container);
}

TEST(Mutation, trace_accepts_or_refuses) {
  run({isa::format_trace(emit(make_plan(7, {std::nullopt, 1, 2, true, true}))),
       "# systole-trace 1\nmachine array.dim=8 sfu.normaliser=1 revision=2025\nmem latency=20 beat_bytes=16\n# "
       "loop_conv encoding=2025\n# region a b\n"
       "# tensor t 80001000 64\nresident 80001000 64 dirty 3\nfill 80001000 64 int8 -8 8 1\ncmd 2 80001000 "
       "1000100000000\ngap 3\nfence\ncheck 80001000 64\n"},
      &parse_as_trace);
}

TEST(Mutation, expectation_accepts_or_refuses) {
  isa::Expectation expectation;
  expectation.fences = {1, 2, 3};
  expectation.accept = {0, 1};
  expectation.get.add(4, 1);
  expectation.put.add(7, 8);
  expectation.axi = isa::AxiExpectation{1, 2, 3, 4, 5};
  expectation.l2 = isa::CacheExpectation{1, 2, 3, 4, 5, 6};
  expectation.checks = {{0x80001000, 64, 0xdeadbeef}};
  run({isa::format_expectation(expectation), isa::format_expectation({})}, &parse_as_expectation);
}

}  // namespace
}  // namespace systole::test
