// The accelerator with a memory of one's own behind its port.
#include "hw/memory/tlm_memory.h"
#include "hw/top/machine.h"

#include "../product.h"
#include "../user_memory.h"

int sc_main(int, char**) {
  namespace hw = systole::hw;
  hw::MachineParams params;                                   // the reference machine; any parameter may be changed here
  hw::MachineOptions options;
  options.tlm_memory = hw::TlmStyle::kLooselyTimed;           // or kApproximatelyTimed

  systole::Memory bytes, unused;
  example::fill(bytes);
  hw::Machine machine(params, unused, options);
  example::UserMemory memory("user_memory", bytes);
  machine.tlm_memory().socket.bind(memory.socket);

  const systole::isa::Program program = example::product();
  const hw::MachineResult result = machine.run(program);      // starts and ends the simulation
  std::printf("%llu cycles, %llu reads, %llu writes, %llu rows opened, %d elements wrong\n", static_cast<unsigned long long>(result.cycles),
              static_cast<unsigned long long>(memory.reads), static_cast<unsigned long long>(memory.writes),
              static_cast<unsigned long long>(memory.rows_opened), example::wrong(bytes));
  return example::wrong(bytes) == 0 ? 0 : 1;
}
