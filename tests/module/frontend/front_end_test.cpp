// The whole front end: host, command hop, both unrollers and the reservation station in front of stubs of the controllers.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>
#include <random>

#include "hw/frontend/command_hop.h"
#include "hw/frontend/loop_conv.h"
#include "hw/frontend/loop_ws.h"
#include "hw/frontend/reservation_station.h"
#include "hw/host/issuing_host.h"
#include "tests/module/frontend/controller_stub.h"
#include "tests/module/frontend/instructions.h"
#include "tests/module/frontend/loop_bench.h"

namespace systole::test {
namespace {

using hw::Command;

struct Result {
  hw::IssuingHost::Log log;
  std::vector<std::pair<Cycle, std::string>> issues;
  std::map<std::string, std::vector<std::uint64_t>> accounts;
};

// Wired as in the accelerator (Controller.scala).
struct FrontEnd {
  Channel<Command> raw{"raw", 1, 2}, conv_in{"conv_in", 1, 2}, ws_in{"ws_in", 1, 2}, unrolled{"unrolled", 1, 2};
  Channel<hw::IssuedCommand> load{"load", 1, 8}, execute{"execute", 1, 2}, store{"store", 1, 2};
  Channel<hw::IssueCredits> ws_credits{"ws_credits", 1, 2}, conv_credits{"conv_credits", 1, 2};
  ControllerStub::Completions completions;
};

Result run(const isa::Program& program, BenchMode mode, unsigned seed = 0) {
  const hw::FrontEndParams params = reference_front_end();
  const Stall stall = seed == 0 ? Stall::none() : Stall::random(1, 2, seed);
  FrontEnd c;
  UnitBench bench(mode);
  Cycle end = 0;
  hw::IssuingHost host("host", {}, c.raw, {[&](Cycle at) { end = at; }, {}});
  hw::CommandHop hop("hop", c.raw, c.conv_in);
  hw::LoopConv conv("conv", params, c.conv_in, c.ws_in, c.completions, c.conv_credits);
  hw::LoopWs ws("ws", params, c.ws_in, c.unrolled, c.completions, c.ws_credits);
  hw::ReservationStation station("station", params, c.unrolled, c.completions, {c.load, c.execute, c.store, c.ws_credits, c.conv_credits});
  ControllerStub loads("loads", hw::kCompletionLoad, c.load, c.completions, 30, stall);
  ControllerStub executes("executes", hw::kCompletionExecute, c.execute, c.completions, 16, stall);
  ControllerStub stores("stores", hw::kCompletionStore, c.store, c.completions, 20, stall);
  for (BusyLine* line : {&hop.busy(), &conv.busy(), &ws.busy(), &station.busy()}) host.watch(*line);
  for (Unit* unit : std::initializer_list<Unit*>{&host, &hop, &conv, &ws, &station, &loads, &executes, &stores}) bench.add(*unit);
  bench.elaborate();
  host.start(program);
  constexpr Cycle kEnd = 100000;
  bench.run(kEnd);

  Result result;
  result.log = host.log();
  for (const ControllerStub* stub : {&loads, &executes, &stores}) {
    for (const auto& record : stub->records()) {
      result.issues.push_back({record.cycle, fmt::format("{}#{}", brief(record.issued.command, params), record.issued.command.sequence)});
    }
  }
  std::sort(result.issues.begin(), result.issues.end());
  for (const Ledger* ledger : {&host.ledger(), &conv.ledger(), &ws.ledger(), &station.ledger()}) {
    result.accounts[ledger->unit()] = ledger->totals(kEnd);
  }
  return result;
}

std::string text_of(const Result& result) {
  std::string text;
  for (const Cycle cycle : result.log.accepts) text += fmt::format("a{} ", cycle);
  for (const Cycle cycle : result.log.fences) text += fmt::format("f{} ", cycle);
  for (const auto& [cycle, command] : result.issues) text += fmt::format("{}:{} ", cycle, command);
  for (const auto& [unit, cycles] : result.accounts) {
    for (const std::uint64_t n : cycles) text += fmt::format("{} ", n);
  }
  return text;
}

TEST(FrontEnd, a_command_is_issued_five_cycles_after_its_acceptance) {
  isa::Program program;
  program.command(mvin(0));
  program.fence();
  const Result result = run(program, {});
  EXPECT_EQ(result.issues.at(0).first, result.log.accepts.at(0) + 5);
}

TEST(FrontEnd, a_fence_ends_in_the_cycle_after_the_last_completion) {
  isa::Program program;
  program.command(mvin(0));
  program.fence();
  const Result result = run(program, {});
  constexpr Cycle kLoadDelay = 30;
  const Cycle granted = result.issues.at(0).first + 1 + kLoadDelay;
  EXPECT_EQ(result.log.fences.at(0), granted + 1);
}

TEST(FrontEnd, a_fence_does_not_overtake_a_command_in_the_queues) {
  isa::Program program;
  program.command(isa::make(isa::Op::kFlush));
  program.fence();
  // Accepted in t, at the heads of the four queues in t + 1 .. t + 4, gone in t + 5.
  const Result result = run(program, {});
  EXPECT_EQ(result.log.fences.at(0), result.log.accepts.at(0) + 5);
}

isa::Program random_program(unsigned seed) {
  std::mt19937 random(seed);
  const auto pick = [&](unsigned n) { return static_cast<std::uint32_t>(random() % n); };
  isa::Program program;
  program.command(config_ex());
  program.command(config_ld(0, 16));
  for (int n = 0; n < 60; ++n) {
    switch (pick(9)) {
      case 0: {
        isa::Instruction bounds = isa::make(isa::Op::kLoopWsBounds);
        bounds.rs2 = (1 + pick(3)) | (1 + pick(3)) << 16 | std::uint64_t{1 + pick(3)} << 32;
        program.command(bounds);
        isa::Instruction ab = isa::make(isa::Op::kLoopWsAddrsAb);
        ab.rs1 = 0x80010000;
        ab.rs2 = 0x80020000;
        program.command(ab);
        isa::Instruction dc = isa::make(isa::Op::kLoopWsAddrsDc);
        dc.rs2 = 0x80030000;
        program.command(dc);
        isa::Instruction loop = isa::make(isa::Op::kLoopWs);
        isa::fields::LoopWs::activation.set(loop, pick(2) == 0 ? 0 : 4);
        program.command(loop);
        break;
      }
      case 1:
        program.fence();
        break;
      case 2:
        program.gap(pick(40));
        break;
      case 3:
        program.command(isa::make(isa::Op::kFlush));
        break;
      case 4:
        program.command(mvout(accumulator(16 * pick(8))));
        break;
      case 5:
        program.command(preload(16 * pick(8), accumulator(16 * pick(8))));
        program.command(compute(16 * pick(8), kNoOperand));
        break;
      default:
        program.command(mvin(16 * pick(8)));
    }
  }
  program.fence();
  return program;
}

TEST(FrontEnd, all_schedulers_and_orders_agree_on_random_programs) {
  for (const unsigned seed : {11u, 12u, 13u, 14u}) {
    const isa::Program program = random_program(seed);
    const auto texts = in_every_mode([&](BenchMode mode) { return text_of(run(program, mode, seed)); });
    EXPECT_GT(texts.front().size(), 1000u) << "seed " << seed;
    for (const std::string& text : texts) EXPECT_EQ(text, texts.front()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace systole::test
