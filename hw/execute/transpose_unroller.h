#pragma once
// In front of the execute controller's command queue: weight-stationary with transposed weights, a preload and the compute that flips become
// preload, compute, preload, compute, because weights pass the transposer one operation early (TransposePreloadUnroller.scala).
#include <string>

#include "hw/ports/command.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/unit.h"

namespace systole::hw {

class TransposeUnroller : public Unit {
 public:
  // `input` is the unit's own queue of two entries with two visible heads.
  TransposeUnroller(const sc_core::sc_module_name& name, Channel<IssuedCommand>& input, Channel<IssuedCommand>& output);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override {
    r(state_);
    r(transposes_weights_);
    r(room_);
  }

 private:
  enum class State : std::uint8_t { kIdle, kFirstCompute, kSecondPreload };

  Channel<IssuedCommand>& input_;
  Channel<IssuedCommand>& output_;
  State state_ = State::kIdle;
  bool transposes_weights_ = false;
  bool room_ = true;              // there is room behind; while there is none, commands that come in are not looked at
};

}  // namespace systole::hw
