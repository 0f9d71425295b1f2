#pragma once
// What the unrollers of LOOP_WS and LOOP_CONV_WS share: commands pass while no loop is configured; with one configured, the derived class
// generates a command a cycle. The commands of its own that are in flight are limited to the sizes of the reservation station
// (LoopMatmul.scala, LoopConv.scala: ld_utilization and its siblings).
#include <array>
#include <cstdint>
#include <string>

#include "hw/frontend/front_end_params.h"
#include "hw/frontend/issue_credits.h"
#include "hw/frontend/loop_slots.h"
#include "hw/ports/command.h"
#include "sim/kernel/busy_line.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/priority_merge.h"
#include "sim/kernel/unit.h"
#include "sim/stats/ledger.h"

namespace systole::hw {

class LoopUnroller : public Unit {
 public:
  using Completions = PriorityMerge<Completion, kCompletionSources>;

  void evaluate(Cycle now) final;
  [[nodiscard]] std::string state_text() const final;
  void residual(Residual& r) override;   // derived classes add their own
  [[nodiscard]] BusyLine& busy() { return busy_; }   // a command waits in the input queue, or a loop is configured
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }
  [[nodiscard]] std::uint64_t commands_emitted() const { return emitted_; }

 protected:
  // The states of both ledgers; the last one is LOOP_WS's alone.
  enum class State : unsigned { kIdle, kBusy, kOutputFull, kNoCredit, kLoadsBehind };

  LoopUnroller(const sc_core::sc_module_name& name, const FrontEndParams& params, Channel<Command>& in, Channel<Command>& out,
               Completions& completions, Channel<IssueCredits>& issue_credits, Origin origin, Ledger ledger);

  // Whether a command belongs to this unroller.
  [[nodiscard]] virtual bool takes(isa::Op op) const = 0;
  // Writes a command of its own into the slot that is being filled; the slot is free.
  virtual void configure(Cycle now, const Command& command) = 0;
  // One cycle of the two slots, decided from the state at its beginning. True when anything changed, so that the next cycle may differ. False
  // also when it can tell that the next cycle will change nothing; then it has entered the state of that cycle in the ledger.
  virtual bool unroll(Cycle now) = 0;
  // The command whose loop is in a slot.
  [[nodiscard]] virtual std::uint32_t sequence_of(unsigned slot) const = 0;

  // The command at the input, if it can be taken beside a loop that is being unrolled.
  [[nodiscard]] const Command* next_configuration(Cycle now) const;
  void take_configuration(Cycle now, const Command& command);
  // The command that a stage sends in this cycle, to be filled in except for its origin.
  [[nodiscard]] Command& send(Cycle now, LoopStage stage);
  // As many commands of a stage's kind are in flight as the reservation station has entries.
  [[nodiscard]] bool overloaded(LoopStage stage) const;
  // Half of the accumulator for a stage's next loop. A stage that has taken its half leaves the other one to the loop after, unless the
  // results stay in the accumulator.
  [[nodiscard]] std::uint32_t take_half(bool results_stay, std::uint32_t& base) const;
  [[nodiscard]] std::uint32_t half_scratchpad() const { return static_cast<std::uint32_t>(params_.scratchpad_rows) / 2; }
  [[nodiscard]] std::uint32_t half_accumulator() const { return static_cast<std::uint32_t>(params_.accumulator_rows) / 2; }

  const FrontEndParams params_;
  LoopSlots slots_;
  Channel<Command>& out_;
  Ledger ledger_;

 private:
  void take_credits(Cycle now);
  void count_completions(Cycle now);
  bool pass(Cycle now);
  [[nodiscard]] int& in_flight(LoopStage stage);

  const Origin origin_;
  Channel<Command>& in_;
  Completions& completions_;
  Channel<IssueCredits>& issue_credits_;
  int loads_in_flight_ = 0;
  int executes_in_flight_ = 0;
  int stores_in_flight_ = 0;
  bool any_full_ = false;              // only then do completions matter at once; else they are counted when there is something to do
  std::uint64_t granted_ = 0;          // completions of anybody, as far as they are counted
  std::array<std::uint64_t, 3> completed_{};   // of each queue, as far as they are counted
  std::uint64_t emitted_ = 0;
  BusyLine busy_;
};

}  // namespace systole::hw
