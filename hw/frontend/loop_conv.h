#pragma once
#include <array>

#include "hw/frontend/loop_conv_stages.h"
#include "hw/frontend/loop_unroller.h"

namespace systole::hw {

// Unrolls LOOP_CONV_WS into configurations, mvin, preload, compute and mvout commands, one a cycle (LoopConv.scala). Other commands pass
// while no convolution is configured. Takes both forms of the configuration words; the command's decoded Op says which.
class LoopConv final : public LoopUnroller {
 public:
  LoopConv(const sc_core::sc_module_name& name, const FrontEndParams& params, Channel<Command>& in, Channel<Command>& out,
           Completions& completions, Channel<IssueCredits>& issue_credits);

  void residual(Residual& r) override;

 private:
  [[nodiscard]] bool takes(isa::Op op) const override;
  void configure(Cycle now, const Command& command) override;
  bool unroll(Cycle now) override;
  [[nodiscard]] std::uint32_t sequence_of(unsigned slot) const override { return loops_[slot].sequence; }

  void check_loop(Cycle now, const LoopConvLoop& loop, const isa::Instruction& instruction) const;
  LoopStage choose(State& reason) const;
  bool step_stage(LoopStage stage, bool offers_command, bool pops);
  // The stage's generator offers a command to its pipeline.
  [[nodiscard]] bool offers(LoopStage stage) const;
  [[nodiscard]] bool idle(LoopStage stage) const { return !generators_[stage]->active() && pipelines_[stage].empty(); }
  [[nodiscard]] bool elsewhere_or_idle(LoopStage stage, unsigned slot) const {
    return generators_[stage]->slot() != slot || idle(stage);
  }
  void start_stage(LoopStage stage, unsigned slot);

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
};

}  // namespace systole::hw
