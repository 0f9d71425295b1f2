#pragma once
// A whole accelerator as a TLM-2.0 target, for a virtual platform: the platform's CPU issues RoCC commands through registers, the accelerator
// reads and writes the platform's memory through an initiator socket. The platform starts and stops the simulation.
//
// Registers are 8 bytes, little endian, accessed whole:
//   kRs1, kRs2    operands of the next command
//   kCommand      writing a funct number issues a command; the write waits while the queue of commands is full
//   kStatus       read: bit 0 busy, bit 1 interrupt, bits 15:8 free entries of the queue
//   kInterrupt    writing takes the interrupt back
// The interrupt rises when all commands are done, as a fence would see it, and falls with the next command.
// A bad access is answered with an error: another address or size, or a funct that the machine's revision does not know.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tlm>
#include <tlm_utils/simple_target_socket.h>

#include "hw/memory/tlm_memory.h"
#include "hw/params/machine.h"
#include "sim/kernel/scheduler_mode.h"

namespace systole::hw {

struct TlmAcceleratorOptions {
  sc_core::sc_time clock_period = sc_core::sc_time(1, sc_core::SC_NS);
  TlmStyle memory_style = TlmStyle::kLooselyTimed;
  SchedulerMode scheduler = SchedulerMode::kFast;
  bool timing_only = false;
  int command_queue = 16;                // 1..255
  int loop_conv_revision = 2023;         // form of the convolution's configuration words
};

class TlmAccelerator final : public sc_core::sc_module {
 public:
  enum Register : std::uint64_t { kRs1 = 0x00, kRs2 = 0x08, kCommand = 0x10, kStatus = 0x18, kInterrupt = 0x20, kRegisterBytes = 0x28 };

  // Throws ConfigError when the parameters break a rule.
  TlmAccelerator(const sc_core::sc_module_name& name, const MachineParams& params, const TlmAcceleratorOptions& options);
  ~TlmAccelerator() override;

  tlm_utils::simple_target_socket<TlmAccelerator> registers{"registers"};
  sc_core::sc_signal<bool> interrupt{"interrupt"};
  [[nodiscard]] TlmMemory& memory();     // bind its socket

  // After sc_start() has returned: rethrows the error of a unit that ended the simulation.
  void check() const;
  // Cycles from the acceptance of the first command to the end of the last one that is done.
  [[nodiscard]] Cycle cycles() const;
  // Hazards of the RTL that the program ran into, the first hundred.
  [[nodiscard]] std::vector<std::string> warnings() const;

 private:
  struct Parts;
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  void drive_interrupt();
  void await_low();

  std::unique_ptr<Parts> parts_;
  std::uint64_t rs1_ = 0;
  std::uint64_t rs2_ = 0;
  bool interrupt_level_ = false;
  sc_core::sc_event interrupt_event_;
  sc_core::sc_event room_;
};

}  // namespace systole::hw
