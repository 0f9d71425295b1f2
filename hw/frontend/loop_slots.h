#pragma once
// Which loop each part of an unroller works on. Both unrollers hold two loops: the head, which is being emitted, and the tail, which may be
// configured meanwhile and whose stages start as soon as they have finished with the head (LoopMatmul.scala, LoopConv.scala: loops).
#include <array>
#include <cstdint>

#include "sim/base/residual.h"

namespace systole::hw {

enum LoopStage : unsigned { kStageLoadA, kStageLoadB, kStageLoadD, kStageExecute, kStageStore, kLoopStages };

using StageMask = std::uint8_t;   // bit i: stage i
constexpr StageMask stage_bit(LoopStage stage) { return static_cast<StageMask>(1u << stage); }
constexpr StageMask kAllStages = (1u << kLoopStages) - 1;
constexpr StageMask kLoadStages = stage_bit(kStageLoadA) | stage_bit(kStageLoadB) | stage_bit(kStageLoadD);

class LoopSlots {
 public:
  struct Flags {
    bool configured = false;
    bool running = false;
    StageMask started = 0;
    StageMask completed = 0;   // started, and all commands emitted
  };

  [[nodiscard]] const Flags& operator[](unsigned slot) const { return slots_[slot]; }
  [[nodiscard]] unsigned head() const { return head_; }
  [[nodiscard]] bool any_configured() const { return slots_[0].configured || slots_[1].configured; }
  // The slot that configuration commands go to; they wait while it is configured.
  [[nodiscard]] unsigned filling() const { return slots_[head_].configured ? head_ ^ 1u : head_; }
  // The slot a stage turns to next.
  [[nodiscard]] unsigned next_of(LoopStage stage) const {
    return (slots_[head_].started & stage_bit(stage)) != 0 ? head_ ^ 1u : head_;
  }
  // The stage's next slot waits for it, and the stages in `after` have started on that slot.
  [[nodiscard]] bool waits_for(LoopStage stage, StageMask after) const {
    const Flags& slot = slots_[next_of(stage)];
    return slot.configured && (slot.started & stage_bit(stage)) == 0 && (slot.started & after) == after;
  }

  // ---- one cycle's changes, decided from the flags at its beginning; call in this order
  void configure(unsigned slot, StageMask skipped) {
    slots_[slot].configured = true;
    slots_[slot].started = slots_[slot].completed = skipped;
  }
  void start(LoopStage stage, unsigned slot) {
    slots_[slot].running = true;
    slots_[slot].started |= stage_bit(stage);
  }
  void complete(LoopStage stage, unsigned slot) { slots_[slot].completed |= stage_bit(stage); }
  void retire_head() {
    slots_[head_] = Flags{};
    head_ ^= 1u;
  }

  void residual(Residual& r) {
    r(head_);
    for (Flags& slot : slots_) {
      r(slot.configured);
      r(slot.running);
      r(slot.started);
      r(slot.completed);
    }
  }

 private:
  std::array<Flags, 2> slots_{};
  unsigned head_ = 0;
};

}  // namespace systole::hw
