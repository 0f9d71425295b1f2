#pragma once
// Between the stages of an mvout: what the normaliser and the scaling unit offer to the stages around them, inside one cycle.
// Each has two implementations: with and without the normaliser, whole rows or shared scaling units.
#include "hw/ports/row.h"
#include "sim/base/cycle.h"

namespace systole::hw {

// Normaliser, or the two-entry queue in its place (Scratchpad.scala).
class NormaliserPort {
 public:
  virtual ~NormaliserPort() = default;
  // Row that leaves in this cycle if it is taken; null when there is none.
  [[nodiscard]] virtual const StoreRow* output(Cycle now) = 0;
  // The row with its bytes as they go to memory: activated and scaled with the statistics of the moment, or raw words.
  virtual StoreRow take_output(Cycle now) = 0;
  // After the unit's turn in this cycle: can a row of this statistics id enter.
  [[nodiscard]] virtual bool ready(Cycle now, int stats_id) = 0;
  virtual void accept(Cycle now, const StoreRow& row) = 0;
};

// Time that the scaling unit takes (AccumulatorScale.scala). front and pop come before can_push and push in a cycle.
class ScalePort {
 public:
  virtual ~ScalePort() = default;
  [[nodiscard]] virtual const StoreRow* front(Cycle now) = 0;
  virtual StoreRow pop(Cycle now) = 0;
  [[nodiscard]] virtual bool can_push(Cycle now) = 0;
  virtual void push(Cycle now, const StoreRow& row) = 0;
};

}  // namespace systole::hw
