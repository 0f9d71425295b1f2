#pragma once
#include "hw/frontend/front_end_params.h"
#include "hw/frontend/issue_credits.h"
#include "hw/frontend/loop_slots.h"
#include "hw/frontend/loop_ws_stages.h"
#include "hw/ports/command.h"
#include "sim/kernel/busy_line.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/priority_merge.h"
#include "sim/kernel/unit.h"
#include "sim/stats/ledger.h"

namespace systole::hw {

// Unrolls LOOP_WS into mvin, preload, compute and mvout commands, one a cycle (LoopMatmul.scala). Other commands pass while no loop is
// configured. The commands of its own that are in flight are limited to the sizes of the reservation station.
class LoopWs final : public Unit {
 public:
  using Completions = PriorityMerge<Completion, kCompletionSources>;

  LoopWs(const sc_core::sc_module_name& name, const FrontEndParams& params, Channel<Command>& in, Channel<Command>& out,
         Completions& completions, Channel<IssueCredits>& issue_credits);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  [[nodiscard]] BusyLine& busy() { return busy_; }   // a command waits in the input queue, or a loop is configured
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }
  [[nodiscard]] std::uint64_t commands_emitted() const { return emitted_; }

 private:
  enum class State : unsigned { kIdle, kBusy, kOutputFull, kNoCredit, kLoadsBehind };

  void take_credits(Cycle now);
  bool configure(Cycle now, const Command& command);
  void check_loop(Cycle now, const LoopWsLoop& loop, const isa::Instruction& instruction) const;
  bool pass(Cycle now);
  // The rest: one cycle of the two slots. True when anything changed, so that the next cycle may differ.
  bool unroll(Cycle now);
  LoopStage choose(State& reason) const;
  void emit(Cycle now, LoopStage stage);
  bool drop_skipped();
  [[nodiscard]] bool loads_ahead() const;
  [[nodiscard]] bool producer_ahead() const;
  [[nodiscard]] LoopStage load_ab_choice() const;
  void start_stage(LoopStage stage, unsigned slot, bool resadd);
  void start_load_a(unsigned slot, bool resadd);
  void start_load_b(unsigned slot, bool resadd);
  void start_load_d(unsigned slot);
  void start_execute(unsigned slot, bool resadd);
  void start_store(unsigned slot, bool resadd);
  [[nodiscard]] std::uint32_t a_start(const LoopWsLoop& loop, int rows) const;
  [[nodiscard]] std::uint64_t b_start(const LoopWsLoop& loop) const;
  [[nodiscard]] std::uint32_t take_half(const LoopWsLoop& loop, std::uint32_t& base) const;
  [[nodiscard]] unsigned slot_of(LoopStage stage) const;
  [[nodiscard]] bool idle(LoopStage stage) const;
  [[nodiscard]] bool elsewhere_or_idle(LoopStage stage, unsigned slot) const { return slot_of(stage) != slot || idle(stage); }

  const FrontEndParams params_;
  const OperandFormat format_;
  Channel<Command>& in_;
  Channel<Command>& out_;
  Completions& completions_;
  Channel<IssueCredits>& issue_credits_;

  LoopSlots slots_;
  std::array<LoopWsLoop, 2> loops_;
  bool is_resadd_ = false;             // one register for both slots (LoopMatmul.scala)
  TileLoad load_a_;
  TileLoad load_b_;
  TileLoad load_d_;
  LoopWsExecute execute_;
  LoopWsStore store_;
  std::uint32_t bias_base_ = 0;        // accumulator half of the next loop, as each stage sees it
  std::uint32_t execute_base_ = 0;
  std::uint32_t store_base_ = 0;
  int loads_in_flight_ = 0;
  int executes_in_flight_ = 0;
  int stores_in_flight_ = 0;
  bool any_in_flight_ = false;         // only then do completions matter
  std::uint64_t emitted_ = 0;
  BusyLine busy_;
  Ledger ledger_;
};

}  // namespace systole::hw
