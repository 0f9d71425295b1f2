#pragma once
// A master that drives the SoC's memory system at the accelerator's port, and what it saw. The answers are always taken.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "hw/memory/soc/soc_memory.h"
#include "tests/support/unit_bench.h"

namespace systole::test {

// What the CPU does beside the master.
struct PortHostAccess {
  Cycle at = 0;                  // pushed then
  hw::HostAccess access;
};

struct PortRequest {
  Cycle at = 0;                  // first cycle in which its first beat is offered
  hw::TlOpcodeA opcode = hw::TlOpcodeA::kGet;
  std::uint64_t address = 0;
  unsigned bytes = 64;
  std::uint16_t source = 0;
  // Put: bytes [first, first + count) of the request are written; count 0: all of them.
  unsigned first = 0, count = 0;
};

struct PortTimes {
  Cycle a_first = kNever, a_last = kNever, d_first = kNever, d_last = kNever;
  hw::L2Outcome outcome = hw::L2Outcome::kHit;
  bool answered = false;
};

struct PortRun {
  std::vector<PortTimes> requests;
  hw::L2Counts l2;
  hw::ReadWaits waits;
  Cycle axi_last = 0;
  std::vector<std::pair<Cycle, std::uint64_t>> reads, writes;   // addresses on AXI
  hw::HostAccessCounts host;
  hw::LlcCounts llc;
  hw::DramCounts dram;
  std::vector<Cycle> host_done;
  std::uint64_t wakeups = 0;
  std::string value_error;                                      // the first byte that differs from flat memory
};

struct PortMaster {
  std::vector<PortRequest> requests;
  unsigned outstanding_reads = 16;
  unsigned outstanding_writes = 16;
  std::vector<PortHostAccess> host;
  std::uint64_t value_bytes = 0;     // with values: of memory at kPortBase that take part; 0: a run without values
};

inline constexpr std::uint64_t kPortBase = 0x80000000;

// One per process.
PortRun run_port(const hw::MachineParams& params, const std::vector<hw::ResidentRange>& resident, const PortMaster& master, BenchMode mode);

}  // namespace systole::test
