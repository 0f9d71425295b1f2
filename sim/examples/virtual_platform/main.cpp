// A small virtual platform: a CPU (here a thread) issues commands to the accelerator's registers and waits for its interrupt; the accelerator
// works in the platform's memory.
#include <tlm_utils/simple_initiator_socket.h>

#include "hw/top/tlm_accelerator.h"

#include "../product.h"
#include "../user_memory.h"

namespace {

using systole::hw::TlmAccelerator;

class Cpu final : public sc_core::sc_module {
 public:
  Cpu(const sc_core::sc_module_name& name, TlmAccelerator& device) : sc_core::sc_module(name), device_(device) {
    sc_core::sc_spawn([this] { run(); });
  }
  tlm_utils::simple_initiator_socket<Cpu> socket{"socket"};

 private:
  void write(std::uint64_t address, std::uint64_t value) {
    tlm::tlm_generic_payload payload;
    payload.set_command(tlm::TLM_WRITE_COMMAND);
    payload.set_address(address);
    payload.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
    payload.set_data_length(sizeof value);
    payload.set_streaming_width(sizeof value);
    sc_core::sc_time delay(2, sc_core::SC_NS);
    socket->b_transport(payload, delay);
    if (!payload.is_response_ok()) SC_REPORT_ERROR("cpu", payload.get_response_string().c_str());
    wait(delay);
  }
  void run() {
    const systole::isa::Program program = example::product();
    for (const systole::isa::Item& item : program.items) {
      if (item.kind != systole::isa::ItemKind::kCommand) continue;
      write(TlmAccelerator::kRs1, item.instruction.rs1);
      write(TlmAccelerator::kRs2, item.instruction.rs2);
      write(TlmAccelerator::kCommand, item.instruction.funct);
    }
    if (!device_.interrupt.read()) wait(device_.interrupt.posedge_event());
    std::printf("interrupt at %s\n", sc_core::sc_time_stamp().to_string().c_str());
    sc_core::sc_stop();
  }
  TlmAccelerator& device_;
};

}  // namespace

int sc_main(int, char**) {
  systole::Memory bytes;
  example::fill(bytes);
  TlmAccelerator accelerator("accelerator", systole::hw::MachineParams{}, systole::hw::TlmAcceleratorOptions{});
  example::UserMemory memory("user_memory", bytes);
  Cpu cpu("cpu", accelerator);
  cpu.socket.bind(accelerator.registers);
  accelerator.memory().socket.bind(memory.socket);
  sc_core::sc_start();
  accelerator.check();
  std::printf("%llu cycles, %d elements wrong\n", static_cast<unsigned long long>(accelerator.cycles()), example::wrong(bytes));
  return example::wrong(bytes) == 0 ? 0 : 1;
}
