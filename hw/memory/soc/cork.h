#pragma once
// Between a bank of the cache and the memory port: releases of clean lines and permissions to write a whole line are answered here
// (TLCacheCork), the rest goes to memory. One request beat and one answer beat a cycle.
//   requests  write-backs before reads
//   answers   memory before releases before permissions; a read burst is not interrupted
#include "hw/memory/soc/memory_port.h"
#include "hw/memory/soc/release_unit.h"
#include "hw/memory/soc/ring.h"

namespace systole::hw::soc {

struct Acquire {
  std::uint64_t address = 0;
  std::uint8_t mshr = 0;
  bool permission_only = false;
};

struct Refill {
  enum class Kind : std::uint8_t { kRead, kPermission, kReleased };
  Kind kind = Kind::kRead;
  std::uint8_t mshr = 0;
  std::uint8_t burst = 0;   // kRead: of which the waits are kept
};

class Cork {
 public:
  Cork(unsigned bank, unsigned grants, MemoryPort& port) : bank_(bank), free_grants_(grants), port_(port) {}

  // Start of a cycle: the answer beat that will be delivered in it, and which queues have room.
  void begin() {
    refills_before_ = refills_.size();
    acquires_before_ = acquires_.size();
    acks_before_ = grant_acks_.size();
    chosen_ = Source::kNone;
    const MemoryPort::Answer answer = port_.offer(bank_);
    if (burst_beats_) {
      if (answer == MemoryPort::Answer::kRead && refills_before_ != kDepth) chosen_ = Source::kRead;
      return;
    }
    if (answer != MemoryPort::Answer::kNone) {
      chosen_ = answer == MemoryPort::Answer::kRead ? Source::kRead : Source::kWrite;
    } else if (!released_.empty()) {
      chosen_ = Source::kReleased;
    } else if (!permitted_.empty()) {
      chosen_ = Source::kPermission;
    } else {
      return;
    }
    const bool new_grant = chosen_ == Source::kRead || chosen_ == Source::kPermission;
    if ((new_grant && free_grants_ == 0) || refills_before_ == kDepth) chosen_ = Source::kNone;
  }

  // Beats of one burst come and go, and nothing else moves: one is inside, and the next one is offered.
  [[nodiscard]] bool only_burst(const Ring<Release, 16>& releases) const {
    return burst_beats_ && refills_.size() == 1 && refills_.front().kind == Refill::Kind::kRead && acquires_.empty() && grant_acks_.empty() &&
           (releases.empty() || (!releases.front().dirty && released_.size() == kDepth)) && port_.offer(bank_) == MemoryPort::Answer::kRead;
  }
  // Then: the beat inside is taken, and the next one, which looks the same, is delivered.
  void pass_beat(Cycle now) {
    port_.take_read(now);
    burst_beats_ = !port_.first_beat();
  }

  // The `left` beats of the line that is being refilled come in consecutive cycles from the next one on.
  [[nodiscard]] bool keeps_coming(unsigned left) const { return !refills_.empty() && (burst_beats_ || refills_.size() >= left); }

  // ---- the cache's side. What is pushed here is for the next cycle.
  // can_acquire() and can_ack(): before anything happens in the cycle.
  [[nodiscard]] bool can_acquire() const { return acquires_.size() < kDepth; }
  void acquire(const Acquire& acquire) { acquires_.push(acquire); }
  [[nodiscard]] bool can_ack() const { return grant_acks_.size() < kDepth; }
  void ack() { grant_acks_.push(true); }
  [[nodiscard]] const Refill* refill() const { return refills_before_ != 0 ? &refills_.front() : nullptr; }
  Refill take_refill() { return refills_.pop(); }
  [[nodiscard]] unsigned refilled_mshr() const { return refills_.front().mshr; }
  [[nodiscard]] bool chosen() const { return chosen_ != Source::kNone; }
  // Why the line of a read burst took its time.
  [[nodiscard]] const MemoryWaits& waits(const Refill& refill) const { return waits_[refill.burst]; }

  // Does it want the memory port's request channel?
  [[nodiscard]] bool wants_port(const Ring<Release, 16>& releases) const {
    return (!releases.empty() && releases.front().dirty) || (!acquires_.empty() && !acquires_.front().permission_only);
  }
  [[nodiscard]] bool has_requests(const Ring<Release, 16>& releases) const {
    return (acquires_before_ | acks_before_) != 0 || (!releases.empty() && (releases.front().dirty || released_.size() != kDepth));
  }
  // Request beats of this cycle. `turn`: the memory port's channel may be used.
  void request(Cycle now, Ring<Release, 16>& releases, bool turn) {
    const bool acquire_there = acquires_before_ != 0;
    bool write = false, read = false;
    if (!releases.empty()) {
      const Release& release = releases.front();
      if (release.dirty) {
        write = turn && port_.can_write();
        if (write) {
          port_.write_beat(now, bank_, release.mshr, release.address);
          releases.pop();
        }
      } else if (released_.size() < kDepth) {
        released_.push(release.mshr);
        releases.pop();
      }
    }
    if (acquire_there) {
      const Acquire& acquire = acquires_.front();
      if (!acquire.permission_only) {
        read = !write && turn && port_.can_read();
        if (read) port_.read(now, bank_, acquire.mshr, acquire.address);
      } else if (permitted_.size() < kDepth) {
        permitted_.push(acquire.mshr);
        read = true;
      }
      if (read) acquires_.pop();
    }
    if (acks_before_ != 0) {
      grant_acks_.pop();
      ++free_grants_;
    }
  }
  // Moves the chosen answer beat.
  void deliver(Cycle now) {
    switch (chosen_) {
      case Source::kNone: break;
      case Source::kRead:
        if (!burst_beats_) {
          --free_grants_;
          burst_ ^= 1;
          waits_[burst_] = port_.waits();
        }
        refills_.push({Refill::Kind::kRead, static_cast<std::uint8_t>(port_.mshr()), burst_});
        port_.take_read(now);
        burst_beats_ = !port_.first_beat();
        break;
      case Source::kWrite:
        refills_.push({Refill::Kind::kReleased, static_cast<std::uint8_t>(port_.mshr()), 0});
        port_.take_write(now);
        break;
      case Source::kReleased: refills_.push({Refill::Kind::kReleased, released_.pop(), 0}); break;
      case Source::kPermission:
        --free_grants_;
        refills_.push({Refill::Kind::kPermission, permitted_.pop(), 0});
        break;
    }
  }

  // Nothing inside but what waits for memory?
  [[nodiscard]] bool empty() const { return acquires_.empty() && grant_acks_.empty() && refills_.empty() && released_.empty() && permitted_.empty(); }

 private:
  enum class Source : std::uint8_t { kNone, kRead, kWrite, kReleased, kPermission };
  static constexpr unsigned kDepth = 2;

  const unsigned bank_;
  unsigned free_grants_;
  MemoryPort& port_;
  Ring<Acquire, kDepth> acquires_;
  Ring<bool, kDepth> grant_acks_;
  Ring<std::uint8_t, kDepth> released_, permitted_;
  Ring<Refill, kDepth> refills_;
  bool burst_beats_ = false;         // of a read burst for this bank are still to come
  unsigned refills_before_ = 0, acquires_before_ = 0, acks_before_ = 0;
  Source chosen_ = Source::kNone;
  std::uint8_t burst_ = 0;
  MemoryWaits waits_[2];             // of the last two bursts: beats of both can be inside
};

}  // namespace systole::hw::soc
