#pragma once
// A memory of the user's own: a TLM-2.0 target in several styles.
#include <gtest/gtest.h>

#include <tlm>
#include <tlm_utils/peq_with_get.h>
#include <tlm_utils/simple_target_socket.h>

#include "sim/base/memory.h"

namespace systole::test {

using sc_core::sc_time;

enum class Target {
  kDelay,          // b_transport returns at once with a delay
  kWait,           // b_transport waits
  kFourPhases,     // END_REQ with the request, BEGIN_RESP later
  kLateEndRequest, // END_REQ one cycle later
  kEarlyAnswer,    // TLM_COMPLETED with a delay
  kRefuses,        // an error
};

// A memory that answers `cycles` after the request.
class UserMemory final : public sc_core::sc_module {
 public:
  UserMemory(const sc_core::sc_module_name& name, Memory& memory, Target target, int cycles)
      : sc_core::sc_module(name), memory_(memory), target_(target), delay_(cycles, sc_core::SC_NS) {
    socket.register_b_transport(this, &UserMemory::b_transport);
    socket.register_nb_transport_fw(this, &UserMemory::nb_transport_fw);
    sc_core::sc_spawn([this] { answer(); });
    sc_core::sc_spawn([this] { end_requests(); });
  }
  tlm_utils::simple_target_socket<UserMemory> socket{"socket"};

 private:
  void access(tlm::tlm_generic_payload& payload) {
    if (target_ == Target::kRefuses || !memory_.contains(payload.get_address(), payload.get_data_length())) {
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      return;
    }
    std::uint8_t* bytes = memory_.at(payload.get_address(), payload.get_data_length());
    for (unsigned i = 0; i < payload.get_data_length(); ++i) {
      if (payload.is_read()) payload.get_data_ptr()[i] = bytes[i];
      else if (payload.get_byte_enable_ptr() == nullptr || payload.get_byte_enable_ptr()[i] == TLM_BYTE_ENABLED) bytes[i] = payload.get_data_ptr()[i];
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
  void b_transport(tlm::tlm_generic_payload& payload, sc_time& delay) {
    access(payload);
    if (target_ == Target::kWait) sc_core::wait(delay_);
    else delay += delay_;
  }
  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_time& delay) {
    if (phase != tlm::BEGIN_REQ) return tlm::TLM_COMPLETED;
    access(payload);
    if (target_ == Target::kEarlyAnswer) {
      delay += delay_;
      return tlm::TLM_COMPLETED;
    }
    payload.acquire();
    answers_.notify(payload, delay_);
    if (target_ == Target::kLateEndRequest) {
      ends_.notify(payload, sc_time(1, sc_core::SC_NS));
      return tlm::TLM_ACCEPTED;
    }
    phase = tlm::END_REQ;
    return tlm::TLM_UPDATED;
  }
  void answer() {
    for (;;) {
      sc_core::wait(answers_.get_event());
      while (tlm::tlm_generic_payload* payload = answers_.get_next_transaction()) {
        tlm::tlm_phase phase = tlm::BEGIN_RESP;
        sc_time delay = sc_core::SC_ZERO_TIME;
        EXPECT_EQ(socket->nb_transport_bw(*payload, phase, delay), tlm::TLM_COMPLETED);
        payload->release();
      }
    }
  }
  void end_requests() {
    for (;;) {
      sc_core::wait(ends_.get_event());
      while (tlm::tlm_generic_payload* payload = ends_.get_next_transaction()) {
        tlm::tlm_phase phase = tlm::END_REQ;
        sc_time delay = sc_core::SC_ZERO_TIME;
        socket->nb_transport_bw(*payload, phase, delay);
      }
    }
  }

  Memory& memory_;
  const Target target_;
  const sc_time delay_;
  tlm_utils::peq_with_get<tlm::tlm_generic_payload> answers_{"answers"};
  tlm_utils::peq_with_get<tlm::tlm_generic_payload> ends_{"ends"};
};

}  // namespace systole::test
