#pragma once
// Memory with a fixed latency and one beat per cycle. Requests are always accepted; answers come in the order in which requests are
// complete. The first beat of an answer is offered `latency` cycles after the last beat of its request, later when beats in front of it
// still use the channel; beats that are not taken wait without delaying the schedule of those behind.
#include <cstdint>
#include <vector>

#include "hw/memory/port_values.h"
#include "hw/params/machine.h"
#include "hw/ports/burst.h"
#include "hw/ports/load_runs.h"
#include "hw/ports/port_log.h"
#include "sim/kernel/channel.h"

namespace systole::hw {

class IdealMemory final : public Unit {
 public:
  IdealMemory(const sc_core::sc_module_name& name, const MachineParams& params, Memory& memory, ValuePlane* values,
              Channel<RequestBeat>& in_request, Channel<ResponseBeat>& out_response, PortLog* log, LoadRuns* load_runs = nullptr);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override {
    r.rest(size_ == 0);
    r(any_scheduled_);
    r.time(last_scheduled_);
    r.time(next_offer_);
  }

 private:
  struct Answer {
    ResponseBeat beat;       // the next beat
    int beats_left = 0;
    bool plain_rows = false;
    Cycle scheduled = 0;     // of the next beat
  };
  void take_request(Cycle now);
  void send_run(Cycle now, Answer& answer);

  const MachineParams params_;
  PortValues port_values_;
  Channel<RequestBeat>& in_request_;
  Channel<ResponseBeat>& out_response_;
  PortLog* log_;
  LoadRuns* load_runs_;    // null: every beat by itself
  std::vector<Answer> answers_;      // ring
  std::size_t head_ = 0;
  std::size_t size_ = 0;
  Cycle last_scheduled_ = 0;         // of the last beat of all answers so far
  bool any_scheduled_ = false;
  Cycle next_offer_ = 0;             // no beat is offered before
};

}  // namespace systole::hw
