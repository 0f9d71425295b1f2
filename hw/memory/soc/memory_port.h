#pragma once
// The memory port that the banks of the cache share (memory bus and TLToAXI4). One request beat and one answer beat a cycle.
//   requests  a write-back is not interrupted; banks take turns
//   answers   a read burst is not interrupted; reads before writes. A write answer goes before a read burst when it has waited exactly 7
//             cycles at that moment: the wait counter has three bits and wraps.
#include "hw/memory/soc/axi_memory.h"
#include "hw/memory/soc/geometry.h"

namespace systole::hw::soc {

class MemoryPort {
 public:
  enum class Answer : std::uint8_t { kNone, kRead, kWrite };

  MemoryPort(const Geometry& geometry, AxiMemory& memory, MemoryLog* log) : beats_(geometry.axi_beats), memory_(memory), log_(log) {}

  // Start of a cycle: what is offered in it.
  void begin(Cycle now) {
    if (memory_.work_at() <= now) memory_.advance(now);
    write_seen_ = memory_.write_offered() <= now;
    if (read_beats_left_ != 0) {
      answer_ = Answer::kRead;   // a burst has a beat in every cycle
      return;
    }
    answer_ = Answer::kNone;
    if (memory_.read_offered() <= now && write_wait_ != 7) {
      answer_ = Answer::kRead;
      offered_id_ = memory_.read_id();
    } else if (write_seen_) {
      answer_ = Answer::kWrite;
      offered_id_ = memory_.write_id();
    }
  }
  void end() { write_wait_ = write_seen_ ? (write_wait_ + 1) & 7 : 0; }

  // ---- answers
  [[nodiscard]] Answer offer(unsigned bank) const { return offered_id_ / kIds == bank ? answer_ : Answer::kNone; }
  [[nodiscard]] unsigned mshr() const { return offered_id_ % kIds; }
  [[nodiscard]] bool first_beat() const { return read_beats_left_ == 0; }   // of a read burst
  [[nodiscard]] const MemoryWaits& waits() const { return memory_.read_waits(); }
  void take_read(Cycle now) {
    if (read_beats_left_ == 0) {
      read_beats_left_ = beats_;
      memory_.take_read();
    }
    if (--read_beats_left_ == 0) --outstanding_;
    if (log_ != nullptr) log_->axi(now, AxiBeat::kRead, 0);
  }
  void take_write(Cycle now) {
    write_seen_ = false;
    --outstanding_;
    if (log_ != nullptr) log_->axi(now, AxiBeat::kWritten, 0);
    memory_.take_write();
  }

  // ---- requests; a beat is on AXI one cycle later
  [[nodiscard]] bool writing() const { return write_beats_left_ != 0; }
  [[nodiscard]] unsigned writer() const { return writer_; }
  [[nodiscard]] bool can_write() const { return write_beats_left_ != 0 || memory_.can_write(); }
  [[nodiscard]] bool can_read() const { return write_beats_left_ == 0 && memory_.can_read(); }
  void write_beat(Cycle now, unsigned bank, unsigned mshr, std::uint64_t address) {
    if (write_beats_left_ == 0) {
      writer_ = bank;
      write_beats_left_ = beats_;
      if (log_ != nullptr) log_->axi(now + 1, AxiBeat::kWriteAddress, address);
    }
    if (--write_beats_left_ != 0) return;
    memory_.write(now + 1, bank * kIds + mshr, address);
    ++outstanding_;
  }
  void read(Cycle now, unsigned bank, unsigned mshr, std::uint64_t address) {
    if (log_ != nullptr) log_->axi(now + 1, AxiBeat::kReadAddress, address);
    memory_.read(now + 1, bank * kIds + mshr, address);
    ++outstanding_;
  }

  [[nodiscard]] bool idle() const { return outstanding_ == 0; }
  // Nor has memory anything to do that it answered before.
  [[nodiscard]] bool settled() const { return idle() && memory_.work_at() == kNever; }
  // First cycle in which memory has an answer or something to do.
  [[nodiscard]] Cycle next_event() const {
    return read_beats_left_ != 0 ? 0 : std::min({memory_.read_offered(), memory_.write_offered(), memory_.work_at()});
  }

 private:
  static constexpr unsigned kIds = 64;   // of a bank

  const unsigned beats_;
  AxiMemory& memory_;
  MemoryLog* log_;
  unsigned read_beats_left_ = 0;     // of a read burst under way
  unsigned write_beats_left_ = 0;    // of a write-back under way
  unsigned writer_ = 0;              // its bank
  unsigned write_wait_ = 0;          // cycles the answer to a write has waited, modulo 8
  unsigned outstanding_ = 0;
  unsigned offered_id_ = 0;
  Answer answer_ = Answer::kNone;
  bool write_seen_ = false;          // and not taken in this cycle
};

}  // namespace systole::hw::soc
