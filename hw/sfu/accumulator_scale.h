#pragma once
// Time of the accumulator's scaling unit (AccumulatorScale.scala): an elastic pipeline that takes whole rows, or a few scaling units that the
// lanes of three rows share.
#include <array>
#include <cstdint>
#include <vector>

#include "hw/params/machine.h"
#include "hw/ports/store_stages.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/unit.h"

namespace systole::hw {

class ScalePipeline final : public ScalePort {
 public:
  // `stage` moves rows in and out.
  ScalePipeline(const MachineParams& params, Unit& stage);

  [[nodiscard]] const StoreRow* front(Cycle now) override { return rows_.front(now); }
  StoreRow pop(Cycle now) override { return rows_.pop(now); }
  [[nodiscard]] bool can_push(Cycle now) override { return rows_.can_push(now); }
  void push(Cycle now, const StoreRow& row) override { rows_.push(now, row); }
  void residual(Residual& r) { rows_.residual(r); }

 private:
  Channel<StoreRow> rows_;
};

// Lanes of up to three rows compete for `units` scaling units: one lane per unit and cycle, round robin.
// With the normaliser the first four units serve activation functions too, and a static table says which rows use them.
class SharedScaleUnits final : public Unit, public ScalePort {
 public:
  SharedScaleUnits(const sc_core::sc_module_name& name, const MachineParams& params);
  void bind(Unit& stage) { stage_ = &stage; }

  void evaluate(Cycle now) override;
  void residual(Residual& r) override {
    for (const Entry& entry : entries_) r.rest(!entry.valid);
    r.rest(in_pipes_.empty());
    r(head_);
    r(tail_);
    r.time(popped_in_);
    r.time(pushed_in_);
    r.all(last_grant_);
  }
  [[nodiscard]] const StoreRow* front(Cycle now) override;
  StoreRow pop(Cycle now) override;
  [[nodiscard]] bool can_push(Cycle now) override;
  void push(Cycle now, const StoreRow& row) override;

 private:
  static constexpr int kEntries = 3;
  static constexpr int kNormUnits = 4;   // AccumulatorScale.scala num_units_with_norm

  struct Entry {
    bool valid = false;
    Cycle since = 0;             // first cycle in which the entry is visible
    StoreRow row;
    std::vector<std::uint8_t> fired, completed;
    int lanes_left = 0;
  };
  struct Element {
    Cycle done = 0;              // completion visible from the cycle behind
    int entry = 0;
    int lane = 0;
  };

  [[nodiscard]] unsigned norm_policy(unsigned norm_mask) const;
  void grant(Cycle now, int unit, unsigned policy);

  const MachineParams params_;
  Unit* stage_ = nullptr;
  std::array<Entry, kEntries> entries_;
  int head_ = 0;
  int tail_ = 0;
  Cycle popped_in_ = kNever;
  Cycle pushed_in_ = kNever;
  std::vector<int> last_grant_;
  std::vector<Element> in_pipes_;
};

}  // namespace systole::hw
