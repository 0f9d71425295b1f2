#include "hw/frontend/loop_conv.h"

#include <fmt/format.h>

#include "hw/frontend/loop_conv_words.h"
#include "sim/base/errors.h"

namespace systole::hw {
namespace {

std::uint32_t u32(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

// Who may send, first to last (LoopConv.scala, arb).
constexpr std::array<LoopStage, kLoopStages> kPriority{kStageStore, kStageExecute, kStageLoadD, kStageLoadB, kStageLoadA};

}  // namespace

LoopConv::LoopConv(const sc_core::sc_module_name& name, const FrontEndParams& params, Channel<Command>& in, Channel<Command>& out,
                   Completions& completions, Channel<IssueCredits>& issue_credits)
    : LoopUnroller(name, params, in, out, completions, issue_credits, Origin::kLoopConv,
                   {"loop_conv",
                    {{"idle", StateKind::kIdle, "no convolution is configured and no command waits"},
                     {"busy", StateKind::kBusy, "a command was passed, taken or generated, or moves in a pipeline"},
                     {"output_full", StateKind::kStall, "the queue in front of the matrix-multiplication unroller is full"},
                     {"no_credit", StateKind::kStall,
                      "as many generated commands are in flight as the reservation station has entries"}}}),
      load_input_(params),
      load_weights_(params),
      load_bias_(params),
      execute_(params),
      store_(params) {
  for (unsigned slot = 0; slot < loops_.size(); ++slot) {
    loops_[slot].a_start = slot * half_scratchpad();
    loops_[slot].b_end = (slot + 1) * half_scratchpad();
  }
}

bool LoopConv::takes(isa::Op op) const {
  return op == isa::Op::kLoopConv || op == isa::Op::kLoopConv1 || op == isa::Op::kLoopConv1Rect || op == isa::Op::kLoopConv2 ||
         op == isa::Op::kLoopConv2Rect || op == isa::Op::kLoopConv3 || op == isa::Op::kLoopConv3Rect || op == isa::Op::kLoopConv4 ||
         op == isa::Op::kLoopConv5 || op == isa::Op::kLoopConv6;
}

void LoopConv::configure(Cycle now, const Command& command) {
  const unsigned slot = slots_.filling();
  LoopConvLoop& loop = loops_[slot];
  read_loop_conv_word(command.op, command.instruction, loop);
  if (command.op == isa::Op::kLoopConv) {
    loop.sequence = command.sequence;
    loop.derive(u32(params_.dim));
    check_loop(now, loop, command.instruction);
    slots_.configure(slot, 0);
  }
}

// Loops that would never end, and sizes beyond the unroller's signed counters.
void LoopConv::check_loop(Cycle now, const LoopConvLoop& loop, const isa::Instruction& instruction) const {
  constexpr std::uint32_t kLargestImage = 32767;   // 16-bit signed iterators (LoopConv.scala LoopConvLdInput)
  const auto refuse = [&](const std::string& what) {
    throw ModelError(now, name(), fmt::format("command {}: {}", loop.sequence, isa::disassemble(instruction, params_.revision)), what);
  };
  if (loop.batches == 0 || loop.pochs == 0 || loop.orows == 0 || loop.ocols == 0 || loop.krows == 0 || loop.kcols == 0 ||
      loop.kchs == 0) {
    refuse(fmt::format("a convolution of {} batches, {} x {} pixels, {} x {} kernel, {} -> {} channels never ends", loop.batches,
                       loop.orows, loop.ocols, loop.krows, loop.kcols, loop.kchs, loop.pochs));
  }
  if (loop.irows > kLargestImage || loop.icols > kLargestImage || loop.irows_unpadded > loop.irows ||
      loop.icols_unpadded > loop.icols) {
    refuse(fmt::format("input of {} x {} pixels does not fit its padding ({} up, {} down, {} left, {} right) or the iterators",
                       loop.irows, loop.icols, loop.upad, loop.dpad, loop.lpad, loop.rpad));
  }
}

bool LoopConv::offers(LoopStage stage) const {
  const ConvGenerator& generator = *generators_[stage];
  if (!generator.active() || generator.skips()) return false;
  const unsigned slot = generator.slot();
  if (stage == kStageStore) return elsewhere_or_idle(kStageExecute, slot);
  if (stage == kStageExecute) {
    return !generator.passes_over() && elsewhere_or_idle(kStageLoadA, slot) && elsewhere_or_idle(kStageLoadB, slot) &&
           elsewhere_or_idle(kStageLoadD, slot);
  }
  // Loads of the next loop wait while execution still needs loads of its own (LoopConv.scala ex_is_waiting_for_loads).
  const LoopSlots::Flags& executing = slots_[execute_.slot()];
  const bool waiting = (executing.started & stage_bit(kStageExecute)) != 0 && (executing.completed & stage_bit(kStageExecute)) == 0 &&
                       (executing.completed & kLoadStages) != kLoadStages;
  return !(waiting && slot != execute_.slot());
}

LoopStage LoopConv::choose(State& reason) const {
  for (const LoopStage stage : kPriority) {
    if (pipelines_[stage].out() == nullptr) continue;
    if (!overloaded(stage)) return stage;
    reason = State::kNoCredit;
  }
  return kLoopStages;
}

// One cycle with a convolution configured. Everything is decided from the state at the beginning of the cycle.
bool LoopConv::unroll(Cycle now) {
  struct Plan {
    bool starts = false;
    unsigned next_slot = 0;
    bool completes = false;
    bool offers = false;
  };
  std::array<Plan, kLoopStages> plans;
  for (unsigned s = 0; s < kLoopStages; ++s) {
    const auto stage = static_cast<LoopStage>(s);
    plans[s].offers = offers(stage);
    if (!idle(stage)) continue;
    StageMask after = 0;
    if (stage == kStageExecute) after = kLoadStages;
    if (stage == kStageStore) after = stage_bit(kStageExecute);
    plans[s].starts = slots_.waits_for(stage, after);
    plans[s].next_slot = slots_.next_of(stage);
    const LoopSlots::Flags& served = slots_[generators_[s]->slot()];
    plans[s].completes = served.running && (served.started & stage_bit(stage)) != 0 && (served.completed & stage_bit(stage)) == 0;
  }
  const LoopSlots::Flags& head_flags = slots_[slots_.head()];
  const bool retires = head_flags.running && head_flags.completed == kAllStages;
  const Command* configuration = next_configuration(now);

  State state = State::kBusy;
  const LoopStage sender = choose(state);
  const bool fires = sender != kLoopStages && out_.can_push(now);
  if (sender != kLoopStages && !fires) state = State::kOutputFull;

  bool changed = fires || configuration != nullptr || retires;
  if (fires) {
    const GeneratedCommand& generated = *pipelines_[sender].out();
    Command& command = send(now, sender);
    command.instruction = generated.instruction;
    command.op = generated.op;
    command.sequence = generators_[sender]->sequence();
  }
  if (configuration != nullptr) take_configuration(now, *configuration);
  for (unsigned s = 0; s < kLoopStages; ++s) {
    const auto stage = static_cast<LoopStage>(s);
    changed |= step_stage(stage, plans[s].offers, fires && sender == stage);
    if (plans[s].completes) slots_.complete(stage, generators_[s]->slot());
    if (plans[s].starts) {
      start_stage(stage, plans[s].next_slot);
      slots_.start(stage, plans[s].next_slot);
    }
    changed |= plans[s].starts || plans[s].completes;
  }
  if (retires) slots_.retire_head();
  ledger_.enter(now, changed ? State::kBusy : state);
  return changed;
}

bool LoopConv::step_stage(LoopStage stage, bool offers_command, bool pops) {
  ConvGenerator& generator = *generators_[stage];
  CommandPipeline& pipeline = pipelines_[stage];
  const bool enters = offers_command && pipeline.can_push(pops);
  bool changed = false;
  if (enters) {
    const GeneratedCommand command = generator.command();
    changed = pipeline.step(pops, &command);
    generator.advance();
  } else {
    changed = pipeline.step(pops, nullptr);
    if (!generator.active()) return changed;
    if (generator.skips()) {
      generator.drop();
      return true;
    }
    if (generator.passes_over()) {
      generator.advance();
      return true;
    }
  }
  return changed;
}

void LoopConv::start_stage(LoopStage stage, unsigned slot) {
  const LoopConvLoop& loop = loops_[slot];
  const std::uint32_t half = half_scratchpad();
  const std::uint32_t input = loop.a_spad_id == 0 ? loop.a_start : ((loop.a_spad_id - 1) * half) & (2 * half - 1);
  const std::uint32_t weights_end = loop.b_spad_id == 0 ? loop.b_end : loop.b_spad_id * half;
  switch (stage) {
    case kStageLoadA:
      load_input_.start(slot, loop, input);
      return;
    case kStageLoadB:
      load_weights_.start(slot, loop, weights_end);
      return;
    case kStageLoadD:
      load_bias_.start(slot, loop, take_half(loop.output_dram == 0, bias_base_));
      return;
    case kStageExecute:
      execute_.set_output_start(take_half(loop.output_dram == 0, execute_base_));
      execute_.set_weights_end(weights_end);
      execute_.start(slot, loop, input);
      return;
    case kStageStore:
      store_.start(slot, loop, take_half(loop.output_dram == 0, store_base_));
      return;
    case kLoopStages:
      break;
  }
  SYSTOLE_CHECK(false);
}

// Convolutions are not repeated by hw/top/skip_ahead.h, so their registers do not matter; the loops of this unit never run.
void LoopConv::residual(Residual& r) {
  LoopUnroller::residual(r);
  r.rest(!slots_.any_configured());
  for (const ConvGenerator* generator : generators_) r.rest(!generator->active());
  for (const CommandPipeline& pipeline : pipelines_) r.rest(pipeline.empty());
  r(bias_base_);
  r(execute_base_);
  r(store_base_);
}

}  // namespace systole::hw
