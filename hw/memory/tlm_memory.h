#pragma once
// The accelerator's memory port as a TLM-2.0 initiator socket: a memory of the user's own answers. Every Get and every Put is one generic
// payload (Puts with byte enables when bytes are left out), sent in the cycle in which its last request beat leaves the accelerator.
//   loosely timed         one b_transport per request, each in a thread of its own, so that several can be under way; a target may wait or
//                         return a delay
//   approximately timed   nb_transport with the base protocol's four phases; responses are accepted at once
// Answers go to channel D in the order in which they are complete, one beat a cycle, at the earliest in the cycle after the request and in the
// first cycle that is not before the end of the target's delay; a target that waits is answered in the cycle after it returned.
// A target that does not answer TLM_OK_RESPONSE ends the run with a CommandFault, which hw/top makes a ModelError that names
// command, address and cycle.
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>

#include "hw/datapath/value_plane.h"
#include "hw/params/machine.h"
#include "hw/ports/burst.h"
#include "hw/ports/port_log.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/scheduler.h"

namespace systole::hw {

enum class TlmStyle : std::uint8_t { kLooselyTimed, kApproximatelyTimed };

class TlmMemory final : public Unit, private tlm::tlm_mm_interface {
 public:
  // `values` null: the payloads carry zeros. `scheduler` tells SystemC's time of a cycle.
  TlmMemory(const sc_core::sc_module_name& name, const MachineParams& params, TlmStyle style, const Scheduler& scheduler, ValuePlane* values,
            Channel<RequestBeat>& in_request, Channel<ResponseBeat>& out_response, PortLog* log);
  ~TlmMemory() override;

  tlm_utils::simple_initiator_socket<TlmMemory> socket{"socket"};

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;

 private:
  struct Transaction;
  void take_request(Cycle now);
  void start(Transaction& transaction, Cycle now);
  void serve_loosely(Transaction& transaction);
  void serve_approximately();
  tlm::tlm_sync_enum backward(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);
  // The target is done, or will be after `delay`.
  void complete(Transaction& transaction, const sc_core::sc_time& delay);
  void free(tlm::tlm_generic_payload* payload) override;
  [[nodiscard]] Transaction& of(tlm::tlm_generic_payload& payload);

  const MachineParams params_;
  const TlmStyle style_;
  const Scheduler& scheduler_;
  ValuePlane* values_;
  Channel<RequestBeat>& in_request_;
  Channel<ResponseBeat>& out_response_;
  PortLog* log_;
  std::vector<std::unique_ptr<Transaction>> transactions_;   // all there are; those not in `free_` are under way
  std::vector<Transaction*> free_;
  Transaction* entering_[2] = {nullptr, nullptr};            // whose beats are not complete, by client
  std::vector<Transaction*> answers_;                        // complete, by the cycle from which their answer can be sent
  std::deque<Transaction*> to_send_;                         // approximately timed: requests not yet sent
  sc_core::sc_event to_send_event_;
  sc_core::sc_event request_over_;
  tlm::tlm_generic_payload* requesting_ = nullptr;           // in its request phase
  ResponseBeat beat_;                                        // the next beat of the answer at the head
  int beats_left_ = 0;
  Cycle next_offer_ = 0;
  unsigned under_way_ = 0;
};

}  // namespace systole::hw
