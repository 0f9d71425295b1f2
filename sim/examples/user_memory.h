#pragma once
// A loosely timed memory of one's own: a TLM-2.0 target that takes 40 ns, and 100 ns more for another row of 2 KB.
#include <tlm>
#include <tlm_utils/simple_target_socket.h>

#include "sim/base/memory.h"

namespace example {

class UserMemory final : public sc_core::sc_module {
 public:
  UserMemory(const sc_core::sc_module_name& name, systole::Memory& bytes) : sc_core::sc_module(name), bytes_(bytes) {
    socket.register_b_transport(this, &UserMemory::b_transport);
  }
  tlm_utils::simple_target_socket<UserMemory> socket{"socket"};
  std::uint64_t reads = 0, writes = 0, rows_opened = 0;

 private:
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    const std::uint64_t address = payload.get_address();
    const unsigned length = payload.get_data_length();
    if (!bytes_.contains(address, length)) {
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      return;
    }
    std::uint8_t* data = bytes_.at(address, length);
    const unsigned char* enable = payload.get_byte_enable_ptr();
    for (unsigned i = 0; i < length; ++i) {
      if (payload.is_read()) payload.get_data_ptr()[i] = data[i];
      else if (enable == nullptr || enable[i % payload.get_byte_enable_length()] == TLM_BYTE_ENABLED) data[i] = payload.get_data_ptr()[i];
    }
    ++(payload.is_read() ? reads : writes);
    delay += sc_core::sc_time(40, sc_core::SC_NS);
    if (address / 2048 != row_) {
      row_ = address / 2048;
      ++rows_opened;
      delay += sc_core::sc_time(100, sc_core::SC_NS);
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
  systole::Memory& bytes_;
  std::uint64_t row_ = ~std::uint64_t{0};
};

}  // namespace example
