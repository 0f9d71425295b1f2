#pragma once
// Observer of what lies behind the accelerator's memory port: the cache's answers and the beats on its AXI port.
#include <cstdint>

#include "hw/ports/burst.h"
#include "sim/base/cycle.h"

namespace systole::hw {

// What a request found in the last-level cache of the SoC.
enum class L2Outcome : std::uint8_t {
  kHit,
  kMiss,          // this request caused the line to be fetched
  kMissPending,   // the line was already being fetched
  kAllocated,     // a whole line written without being fetched
};

// Requests at the L2 of memory.model = soc.
struct L2Counts {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;                // lookups that found no line
  std::uint64_t allocations = 0;           // misses whose line was not fetched because all of it was written
  std::uint64_t directory_reads = 0;
  std::uint64_t victims_clean = 0;
  std::uint64_t victims_dirty = 0;
};

// Lines at the DRAM controller behind the L2.
struct DramCounts {
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t forwarded = 0;             // reads answered from the queue of writes
  std::uint64_t row_hits = 0;              // accesses whose row was open
  std::uint64_t row_misses = 0;            // the bank was closed
  std::uint64_t row_conflicts = 0;         // another row was open
  std::uint64_t refreshes = 0;
};

// Why a line took its time at the memory behind the L2, in cycles; what is left of its wait has no name here.
struct MemoryWaits {
  Cycle row = 0;       // DRAM opened a row
  Cycle refresh = 0;   // DRAM refreshed
  Cycle llc = 0;       // lookup and data of the last-level cache
};

// Lines at the last-level cache behind the L2.
struct LlcCounts {
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t read_hits = 0;
  std::uint64_t write_hits = 0;
  std::uint64_t victims_clean = 0;
  std::uint64_t victims_dirty = 0;         // written to DRAM
};

// Cycles that the DMA's reads waited, from their request beat to the first beat of their answer. The parts add up to the whole.
struct ReadWaits {
  std::uint64_t reads = 0;
  std::uint64_t total = 0;
  std::uint64_t mshr_full = 0;             // before the L2 takes the request: no MSHR, or no room in its queues
  std::uint64_t same_set = 0;              // behind another request to the set, or to the same line on its way
  std::uint64_t row_miss = 0;              // DRAM opens a row
  std::uint64_t refresh = 0;               // DRAM refreshes
  std::uint64_t llc = 0;                   // lookup and data of the last-level cache
  std::uint64_t probe = 0;                 // the CPU's L1 gives up the line
  std::uint64_t miss = 0;                  // the rest of fetching a line
  std::uint64_t hit = 0;                   // lookup, data banks and way back of a line that is there
  std::uint64_t bus = 0;                   // in the data pipeline and on the bus behind other answers
};

enum class AxiBeat : std::uint8_t { kReadAddress, kWriteAddress, kRead, kWritten };

// Cycle numbers are the simulation's own.
class MemoryLog {
 public:
  virtual ~MemoryLog() = default;
  virtual void axi(Cycle now, AxiBeat beat, std::uint64_t address) = 0;                        // address: of the line
  virtual void l2_outcome(DmaClient client, std::uint16_t source, L2Outcome outcome) = 0;      // before the first beat of the answer
};

}  // namespace systole::hw
