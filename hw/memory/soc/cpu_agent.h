#pragma once
// The CPU beside the accelerator: reads and writes ranges of memory line by line through its L1. A line that is not there, or not writable,
// is fetched from the L2 exclusively (one at a time: the pipeline of an in-order core waits), after the line whose place it takes has been
// written back if it was changed. Hits cost nothing here.
#include <deque>

#include "hw/memory/soc/cpu_cache.h"
#include "hw/memory/soc/inclusive_cache.h"
#include "hw/memory/soc/ring.h"
#include "hw/ports/host_access.h"

namespace systole::hw::soc {

class CpuAgent {
 public:
  CpuAgent(const Geometry& geometry, RequestPool& pool, CpuCache& cache) : geometry_(geometry), pool_(pool), cache_(cache) {}

  void add(const HostAccess& access) { accesses_.push_back(access); }
  [[nodiscard]] bool busy() const { return !accesses_.empty() || sending_ != kNoRequest || write_backs_under_way_ != 0; }
  // An operation is done since the last call.
  [[nodiscard]] bool take_done() {
    const bool done = done_;
    done_ = false;
    return done;
  }

  // Start of a cycle: the beat for the bus, or null.
  [[nodiscard]] const RequestItem* offered() const { return requests_.empty() ? nullptr : &requests_.front(); }
  void taken() { (void)requests_.pop(); }
  // One cycle, after the bus took from it. `room`: a beat can be pushed (queue of two, as of the start of the cycle).
  void step(Cycle now, bool room);
  // A beat of an answer for the CPU.
  void answered(Cycle now, RequestSlot slot);
  [[nodiscard]] unsigned queue_size() const { return requests_.size(); }
  [[nodiscard]] bool waits() const { return waiting_ != kNoRequest; }
  [[nodiscard]] const HostAccessCounts& counts() const { return counts_; }

 private:
  [[nodiscard]] RequestSlot new_request(std::uint64_t address, bool write_back);

  const Geometry geometry_;
  RequestPool& pool_;
  CpuCache& cache_;
  std::deque<HostAccess> accesses_;
  std::uint64_t next_line_ = 0;          // of the first access
  bool started_ = false;                 // the first access is
  Ring<RequestItem, 2> requests_;
  RequestSlot sending_ = kNoRequest;     // whose beats are pushed
  std::uint8_t next_beat_ = 0;
  RequestSlot waiting_ = kNoRequest;     // for its line
  Cycle asked_ = 0;
  unsigned write_backs_under_way_ = 0;
  bool done_ = false;
  HostAccessCounts counts_;
};

}  // namespace systole::hw::soc
