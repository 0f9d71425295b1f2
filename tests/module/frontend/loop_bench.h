#pragma once
// One loop unroller between a source of commands and a stub of everything behind it.
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hw/frontend/front_end_params.h"
#include "hw/frontend/issue_credits.h"
#include "hw/frontend/loop_conv.h"
#include "hw/frontend/loop_ws.h"
#include "hw/ports/command.h"
#include "tests/support/unit_bench.h"

namespace systole::test {

// The reference machine: 16x16, 256 KiB, 64 KiB.
hw::FrontEndParams reference_front_end();

// A command as the unrollers' documentation writes them, local addresses in hex, sizes in decimal, "-" for "no operand":
//   A(row,cols,rows) B(...) D(...)      mvin, mvin2, mvin3        P(weights:rows->out:rows)   preload
//   F(a,cols,rows) S(...)               compute flip, stay        ST(row,cols,rows)           mvout
//   others by mnemonic and operands
std::string brief(const hw::Command& command, const hw::FrontEndParams& params);

// Takes the unroller's commands and completes each `delay` cycles later, in order, at most one a cycle. Configurations of loads and stores
// complete when they are taken.
class CompletingSink final : public Unit {
 public:
  using Completions = PriorityMerge<hw::Completion, hw::kCompletionSources>;
  static constexpr Cycle kNeverCompletes = kNever;

  CompletingSink(const sc_core::sc_module_name& name, Channel<hw::Command>& in, Completions& completions,
                 Channel<hw::IssueCredits>& credits, Cycle delay, Stall stall);
  void evaluate(Cycle now) override;
  [[nodiscard]] const std::vector<std::pair<Cycle, hw::Command>>& popped() const { return popped_; }

 private:
  void take(Cycle now, const hw::Command& command);
  Channel<hw::Command>& in_;
  Completions& completions_;
  Channel<hw::IssueCredits>& credits_;
  Cycle delay_;
  Stall stall_;
  std::deque<std::pair<Cycle, hw::Completion>> due_;
  std::vector<std::pair<Cycle, hw::Command>> popped_;
};

struct LoopBenchOptions {
  hw::FrontEndParams params = reference_front_end();
  int loop_conv_revision = 2023;
  Cycle completion_delay = CompletingSink::kNeverCompletes;
  Stall input_stall = Stall::none();
  Stall output_stall = Stall::none();
  BenchMode mode;
  Cycle max_cycles = 1'000'000;
};

struct LoopBenchResult {
  std::vector<Cycle> pushed;                                 // into the unroller's input queue
  std::vector<std::pair<Cycle, hw::Command>> popped;         // from its output queue: a cycle after it was sent, without stalls
  std::vector<std::uint64_t> account;                        // cycles of each state of the ledger
  std::string state_text;                                    // at the end
};

// Offers `program` from cycle 1 on and runs until nothing happens any more.
template <class Unroller>
LoopBenchResult run_loop(const std::vector<isa::Instruction>& program, const LoopBenchOptions& options);

extern template LoopBenchResult run_loop<hw::LoopWs>(const std::vector<isa::Instruction>&, const LoopBenchOptions&);
extern template LoopBenchResult run_loop<hw::LoopConv>(const std::vector<isa::Instruction>&, const LoopBenchOptions&);

// "cycle:command ..." with cycles of sending relative to the push of command number `origin` of the program.
std::string stream(const LoopBenchResult& result, const LoopBenchOptions& options, std::size_t origin);

}  // namespace systole::test
