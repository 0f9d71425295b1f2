#pragma once
// Between the cache and AXI: releases of clean lines and permissions to write a whole line are answered here (TLCacheCork), the rest goes to
// memory (TLToAXI4). One request beat and one answer beat a cycle.
//   requests  write-backs (not interrupted) before reads; a beat is on AXI one cycle later
//   answers   a read burst is not interrupted; reads before writes before releases before permissions. A write answer goes before a read
//             burst when it has waited exactly 7 cycles at that moment: the wait counter has three bits and wraps.
#include "hw/memory/soc/axi_memory.h"
#include "hw/memory/soc/release_unit.h"
#include "hw/ports/memory_log.h"
#include "sim/kernel/channel.h"

namespace systole::hw::soc {

struct Acquire {
  unsigned mshr = 0;
  bool permission_only = false;
  std::uint64_t address = 0;
};

struct Refill {
  enum class Kind : std::uint8_t { kRead, kPermission, kReleased };
  Kind kind = Kind::kRead;
  unsigned mshr = 0;
  Cycle row_wait = 0, refresh_wait = 0;   // of a read
};

class OuterPort {
 public:
  OuterPort(const Geometry& geometry, unsigned grants, AxiMemory& memory, MemoryLog* log) : geometry_(geometry), free_grants_(grants), memory_(memory), log_(log) {}

  [[nodiscard]] bool can_acquire(Cycle now) const { return acquires_.can_push(now); }
  void acquire(Cycle now, const Acquire& acquire) { acquires_.push(now, acquire); }
  [[nodiscard]] bool can_ack(Cycle now) const { return grant_acks_.can_push(now); }
  void ack(Cycle now) { grant_acks_.push(now, true); }
  // Answers for the cache.
  [[nodiscard]] Channel<Refill>& refills() { return refills_; }

  // The answer beat of this cycle, from the state at its start; deliver() moves it.
  void choose(Cycle now);
  // Request beats of this cycle.
  void request(Cycle now, Channel<ReleaseBeat>& releases);
  void deliver(Cycle now);

  // Nothing inside but what waits for memory?
  [[nodiscard]] bool empty() const { return acquires_.empty() && grant_acks_.empty() && refills_.empty() && released_.empty() && permitted_.empty(); }
  [[nodiscard]] bool memory_idle() const { return outstanding_ == 0; }
  // First cycle in which memory has an answer or something to do.
  [[nodiscard]] Cycle next_answer() const { return std::min({memory_.read_offered(), memory_.write_offered(), memory_.work_at()}); }
  [[nodiscard]] bool moved() const { return moved_; }

 private:
  enum class Source : std::uint8_t { kNone, kRead, kWrite, kReleased, kPermission };

  const Geometry geometry_;
  unsigned free_grants_;
  AxiMemory& memory_;
  MemoryLog* log_;
  Channel<Acquire> acquires_{"acquires", 1, 2};
  Channel<bool> grant_acks_{"grant_acks", 1, 2};
  Channel<unsigned> released_{"released", 1, 2};
  Channel<unsigned> permitted_{"permitted", 1, 2};
  Channel<Refill> refills_{"refills", 1, 2};
  unsigned write_beats_left_ = 0;    // of a write-back under way
  unsigned read_beats_left_ = 0;     // of a read burst under way
  unsigned write_wait_ = 0;          // cycles the answer to a write has waited, modulo 8
  unsigned outstanding_ = 0;
  Source chosen_ = Source::kNone;
  bool write_seen_ = false;
  bool moved_ = false;
};

}  // namespace systole::hw::soc
