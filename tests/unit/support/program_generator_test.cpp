#include "tests/support/program_generator.h"

#include <gtest/gtest.h>

#include <set>

#include "isa/instruction.h"
#include "isa/legality.h"
#include "isa/model/model.h"

namespace systole::test {
namespace {

constexpr std::uint64_t kPrograms = 300;

std::uint32_t run(const isa::Trace& trace) {
  Memory memory(0x80000000, 1 << 24);
  isa::apply_fills(trace, memory);
  isa::Model(isa::geometry_of(trace), memory).run(trace.program);
  return isa::check_crcs(trace, memory).at(0);
}

TEST(ProgramGenerator, programs_are_legal_and_the_oracle_runs_them) {
  for (std::uint64_t seed = 0; seed < kPrograms; ++seed) {
    const isa::Trace trace = emit(make_plan(seed));
    for (const isa::Finding& finding : isa::check_legality(trace.program, isa::geometry_of(trace))) {
      ADD_FAILURE() << "seed " << seed << ": " << isa::to_string(finding);
    }
    ASSERT_NO_THROW(run(trace)) << "seed " << seed;
  }
}

TEST(ProgramGenerator, a_seed_always_gives_the_same_program) {
  EXPECT_EQ(emit(make_plan(42)).program, emit(make_plan(42)).program);
  EXPECT_NE(emit(make_plan(42)).program, emit(make_plan(43)).program);
}

TEST(ProgramGenerator, all_instructions_and_machines_occur) {
  std::set<isa::Op> seen;
  std::set<int> dims;
  for (std::uint64_t seed = 0; seed < kPrograms; ++seed) {
    const isa::Trace trace = emit(make_plan(seed));
    dims.insert(isa::geometry_of(trace).dim);
    for (const isa::Item& item : trace.program.items) {
      if (item.kind == isa::ItemKind::kCommand)
        seen.insert(*isa::decode(item.instruction, trace.program.encoding.revision, trace.program.encoding.loop_conv));
    }
  }
  EXPECT_EQ(dims, (std::set<int>{4, 8, 16, 32, 64}));
  const std::set<isa::Op> absent = {isa::Op::kStoreSpad,     isa::Op::kLoopWsSpadAb, isa::Op::kLoopWsSpadC,
                                    isa::Op::kClockGate,     isa::Op::kCounter};
  for (const isa::OpInfo& entry : isa::table()) {
    EXPECT_EQ(seen.count(entry.op) != 0, absent.count(entry.op) == 0) << entry.mnemonic;
  }
}

TEST(ProgramGenerator, shrinking_keeps_what_makes_a_program_fail) {
  // A made-up fault: output-stationary computes. Find a plan that has one.
  const Fails fails = [](const isa::Trace& trace) {
    for (const isa::Item& item : trace.program.items) {
      if (isa::decode(item.instruction) == isa::Op::kConfigEx &&
          isa::fields::ConfigEx::dataflow.get(item.instruction) == 0 && item.kind == isa::ItemKind::kCommand)
        return true;
    }
    return false;
  };
  std::uint64_t seed = 0;
  while (make_plan(seed).steps.size() < 8 || !fails(emit(make_plan(seed)))) ++seed;
  const ProgramPlan small = shrink(make_plan(seed), fails);
  EXPECT_EQ(small.steps.size(), 1u);
  const isa::Trace tiny = shrink_items(emit(small), fails);
  std::size_t commands = 0;
  for (const isa::Item& item : tiny.program.items) commands += item.kind == isa::ItemKind::kCommand ? 1 : 0;
  EXPECT_EQ(commands, 1u);
}

}  // namespace
}  // namespace systole::test
