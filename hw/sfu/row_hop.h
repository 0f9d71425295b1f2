#pragma once
// The two-entry queue in front of a scaler in revision 2025 (VectorScalarMultiplier.scala): moves rows on into the scaler's input register.
#include "hw/ports/row.h"
#include "sim/kernel/channel.h"

namespace systole::hw {

class RowHop final : public Unit {
 public:
  RowHop(const sc_core::sc_module_name& name, Channel<LoadedRow>& in, Channel<LoadedRow>& out) : Unit(name), in_(in), out_(out) {
    in_.bind_reader(*this);
    out_.bind_writer(*this);
  }

  void evaluate(Cycle now) override {
    if (in_.front(now) != nullptr && out_.can_push(now)) out_.push(now, in_.pop(now));
  }

  void residual(Residual&) override {}   // has no registers

 private:
  Channel<LoadedRow>& in_;
  Channel<LoadedRow>& out_;
};

}  // namespace systole::hw
