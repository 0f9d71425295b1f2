#pragma once
#include "hw/ports/command.h"
#include "sim/kernel/busy_line.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/unit.h"

namespace systole::hw {

// Moves one command a cycle from one queue to the next: the RoCC port's queue to the convolution unroller's (Controller.scala, raw_cmd_q).
class CommandHop final : public Unit {
 public:
  CommandHop(const sc_core::sc_module_name& name, Channel<Command>& in, Channel<Command>& out);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override { busy_.residual(r); }
  [[nodiscard]] BusyLine& busy() { return busy_; }   // commands wait in the input queue

 private:
  Channel<Command>& in_;
  Channel<Command>& out_;
  BusyLine busy_;
};

}  // namespace systole::hw
