#pragma once
#include <array>

#include "hw/frontend/front_end_params.h"
#include "hw/frontend/issue_credits.h"
#include "hw/frontend/loop_conv_stages.h"
#include "hw/frontend/loop_slots.h"
#include "hw/ports/command.h"
#include "sim/kernel/busy_line.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/priority_merge.h"
#include "sim/kernel/unit.h"
#include "sim/stats/ledger.h"

namespace systole::hw {

// Unrolls LOOP_CONV_WS into configurations, mvin, preload, compute and mvout commands, one a cycle (LoopConv.scala). Other commands pass
// while no convolution is configured. Takes both forms of the configuration words; the command's decoded Op says which.
class LoopConv final : public Unit {
 public:
  using Completions = PriorityMerge<Completion, kCompletionSources>;

  LoopConv(const sc_core::sc_module_name& name, const FrontEndParams& params, Channel<Command>& in, Channel<Command>& out,
           Completions& completions, Channel<IssueCredits>& issue_credits);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  [[nodiscard]] BusyLine& busy() { return busy_; }   // a command waits in the input queue, or a convolution is configured
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }
  [[nodiscard]] std::uint64_t commands_emitted() const { return emitted_; }

 private:
  enum class State : unsigned { kIdle, kBusy, kOutputFull, kNoCredit };

  void take_credits(Cycle now);
  bool configure(Cycle now, const Command& command);
  void check_loop(Cycle now, const LoopConvLoop& loop, const isa::Instruction& instruction) const;
  bool pass(Cycle now);
  // One cycle of the two slots. True when anything changed, so that the next cycle may differ.
  bool unroll(Cycle now);
  LoopStage choose(State& reason) const;
  void send(Cycle now, LoopStage stage);
  bool step_stage(LoopStage stage, bool offers_command, bool pops);
  // The stage's generator offers a command to its pipeline.
  [[nodiscard]] bool offers(LoopStage stage) const;
  [[nodiscard]] bool idle(LoopStage stage) const { return !generators_[stage]->active() && pipelines_[stage].empty(); }
  [[nodiscard]] bool elsewhere_or_idle(LoopStage stage, unsigned slot) const {
    return generators_[stage]->slot() != slot || idle(stage);
  }
  void start_stage(LoopStage stage, unsigned slot);
  [[nodiscard]] std::uint32_t take_half(const LoopConvLoop& loop, std::uint32_t& base) const;
  [[nodiscard]] bool overloaded(LoopStage stage) const;
  [[nodiscard]] int& in_flight(LoopStage stage);

  const FrontEndParams params_;
  Channel<Command>& in_;
  Channel<Command>& out_;
  Completions& completions_;
  Channel<IssueCredits>& issue_credits_;

  LoopSlots slots_;
  std::array<LoopConvLoop, 2> loops_;
  ConvLoadInput load_input_;         // stage A
  ConvLoadWeights load_weights_;     // stage B
  ConvLoadBias load_bias_;           // stage D
  ConvExecute execute_;
  ConvStore store_;
  std::array<ConvGenerator*, kLoopStages> generators_{&load_input_, &load_weights_, &load_bias_, &execute_, &store_};
  std::array<CommandPipeline, kLoopStages> pipelines_;
  std::uint32_t bias_base_ = 0;      // accumulator half of the next loop, as each stage sees it
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
