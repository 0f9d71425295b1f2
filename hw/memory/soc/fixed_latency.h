#pragma once
// A memory with fixed latencies: a read burst starts `read_latency` cycles after its address (later when earlier bursts still use the
// channel), one beat a cycle; a write is answered `write_latency` cycles after its last beat. Nothing is ever refused.
#include <deque>

#include "hw/memory/soc/axi_memory.h"

namespace systole::hw::soc {

class FixedLatencyMemory final : public AxiMemory {
 public:
  FixedLatencyMemory(Cycle read_latency, Cycle write_latency, unsigned beats)
      : read_latency_(read_latency), write_latency_(write_latency), beats_(beats) {}

  [[nodiscard]] bool can_read() const override { return true; }
  void read(Cycle now, unsigned id, std::uint64_t) override {
    reads_.push_back({id, now + read_latency_});
    if (reads_.size() == 1) offer_read(now);
  }
  [[nodiscard]] bool can_write() const override { return true; }
  void write(Cycle now, unsigned id, std::uint64_t) override {
    writes_.push_back({id, now + write_latency_});
    if (writes_.size() == 1) offer_write();
  }
  void take_read(Cycle now) override {
    if (++beat_ == beats_) {
      beat_ = 0;
      reads_.pop_front();
    }
    offer_read(now + 1);
  }
  void take_write(Cycle) override {
    writes_.pop_front();
    offer_write();
  }

 private:
  struct Pending {
    unsigned id;
    Cycle at;
  };
  void offer_read(Cycle earliest) {
    read_offered_ = reads_.empty() ? kNever : std::max(earliest, reads_.front().at);
    if (!reads_.empty()) read_id_ = reads_.front().id;
  }
  void offer_write() {
    write_offered_ = writes_.empty() ? kNever : writes_.front().at;
    if (!writes_.empty()) write_id_ = writes_.front().id;
  }

  const Cycle read_latency_;
  const Cycle write_latency_;
  const unsigned beats_;
  std::deque<Pending> reads_;
  std::deque<Pending> writes_;
  unsigned beat_ = 0;
};

}  // namespace systole::hw::soc
