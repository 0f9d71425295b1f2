#pragma once
// What the CPU tells the memory system about a fall-back operation: the ranges of memory it reads and writes, in their order. They go through
// its L1 and the L2; the operation's own cycles are the host's business.
#include <cstdint>

namespace systole::hw {

struct HostAccess {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  bool write = false;
  bool last = true;         // of the operation: it is answered
};

// All ranges of an operation have been accessed.
struct HostAccessDone {};

// Traffic of the CPU. Lines, unless said.
struct HostAccessCounts {
  std::uint64_t hits = 0;           // in the L1
  std::uint64_t misses = 0;         // fetched from the L2, or made writable by it
  std::uint64_t write_backs = 0;    // from the L1 to the L2
  std::uint64_t wait = 0;           // cycles from a request for a line to the end of its answer
  std::uint64_t probes = 0;         // of the L1 by the L2
  std::uint64_t probes_dirty = 0;   // answered with data
};

}  // namespace systole::hw
