#pragma once
// Joins reader and writer at the accelerator's memory port: a two-entry buffer per client, a crossbar, a two-entry buffer behind it, in both
// directions (Scratchpad.scala: TLBuffer, TLXbar; rocket-chip Arbiter.scala round robin). The buffers are the channels around this unit.
#include "hw/ports/burst.h"
#include "sim/kernel/channel.h"

namespace systole::hw {

class DmaCrossbar final : public Unit {
 public:
  DmaCrossbar(const sc_core::sc_module_name& name, Channel<RequestBeat>& in_reader, Channel<RequestBeat>& in_writer,
              Channel<RequestBeat>& out_port, Channel<ResponseBeat>& in_port, Channel<ResponseBeat>& out_reader,
              Channel<ResponseBeat>& out_writer);

  void evaluate(Cycle now) override;
  void residual(Residual& r) override {
    r.rest(!locked_);
    r(last_winner_);
  }

 private:
  void route_requests(Cycle now);
  [[nodiscard]] const RequestBeat* next_request(Cycle now);
  void route_responses(Cycle now);

  Channel<RequestBeat>& in_reader_;
  Channel<RequestBeat>& in_writer_;
  Channel<RequestBeat>& out_port_;
  Channel<ResponseBeat>& in_port_;
  Channel<ResponseBeat>& out_reader_;
  Channel<ResponseBeat>& out_writer_;
  bool port_has_room_ = true;                    // else requests wait until the port, which wakes us, has taken one
  bool locked_ = false;                          // a burst of `owner_` is under way
  DmaClient owner_ = DmaClient::kReader;
  DmaClient last_winner_ = DmaClient::kReader;   // reset state: the writer is preferred first
};

}  // namespace systole::hw
