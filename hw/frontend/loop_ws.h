#pragma once
#include <array>
#include <functional>
#include <utility>

#include "hw/frontend/loop_unroller.h"
#include "hw/frontend/loop_ws_stages.h"

namespace systole::hw {

// Unrolls LOOP_WS into mvin, preload, compute and mvout commands, one a cycle (LoopMatmul.scala). Other commands pass while no loop is
// configured. The commands of its own that are in flight are limited to the sizes of the reservation station.
class LoopWs final : public LoopUnroller {
 public:
  LoopWs(const sc_core::sc_module_name& name, const FrontEndParams& params, Channel<Command>& in, Channel<Command>& out,
         Completions& completions, Channel<IssueCredits>& issue_credits);

  // Of a configured loop only its number is visited: what it is configured with, the program says (hw/top/work_reader.h).
  void residual(Residual& r) override;
  // `notify` is called in a loop of at least `operations` tile operations with each preload that brings weights: a good moment to look at the
  // machine inside a loop.
  void on_weights(std::function<void()> notify, std::uint64_t operations) {
    on_weights_ = std::move(notify);
    on_weights_from_ = operations;
  }
  [[nodiscard]] const LoopWsExecute& execution() const { return execute_; }

 private:
  [[nodiscard]] bool takes(isa::Op op) const override;
  void configure(Cycle now, const Command& command) override;
  bool unroll(Cycle now) override;
  [[nodiscard]] std::uint32_t sequence_of(unsigned slot) const override { return loops_[slot].sequence; }

  void write_word(LoopWsLoop& loop, const Command& command) const;
  void residual_of_loop(Residual& r, LoopWsLoop& loop) const;
  void check_loop(Cycle now, const LoopWsLoop& loop, const isa::Instruction& instruction) const;
  bool unroll_steadily(Cycle now);
  bool unroll_any(Cycle now);
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
  [[nodiscard]] unsigned slot_of(LoopStage stage) const;
  [[nodiscard]] bool idle(LoopStage stage) const;
  [[nodiscard]] bool elsewhere_or_idle(LoopStage stage, unsigned slot) const { return slot_of(stage) != slot || idle(stage); }

  const OperandFormat format_;
  std::array<LoopWsLoop, 2> loops_;
  bool steady_ = false;                // no stage starts, ends or gives up until a command has been emitted or taken
  bool partly_configured_ = false;     // words of a loop have been taken, its last command has not
  bool is_resadd_ = false;             // one register for both slots (LoopMatmul.scala)
  TileLoad load_a_;
  TileLoad load_b_;
  TileLoad load_d_;
  LoopWsExecute execute_;
  LoopWsStore store_;
  std::uint32_t bias_base_ = 0;        // accumulator half of the next loop, as each stage sees it
  std::uint32_t execute_base_ = 0;
  std::uint32_t store_base_ = 0;
  std::function<void()> on_weights_;
  std::uint64_t on_weights_from_ = 0;
};

}  // namespace systole::hw
