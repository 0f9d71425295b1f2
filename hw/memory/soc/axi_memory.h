#pragma once
// What answers on the cache's AXI port: whole lines are read and written. Lines are sent in the order in which the memory finishes them, one
// after the other, one beat a cycle; who takes them counts the beats.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "hw/ports/memory_log.h"
#include "sim/base/cycle.h"

namespace systole::hw::soc {

class AxiMemory {
 public:
  AxiMemory() = default;
  virtual ~AxiMemory() = default;

  // ---- requests; `now` is the cycle of the beat on AXI. `id` comes back with the answer.
  [[nodiscard]] virtual bool can_read() const { return true; }
  virtual void read(Cycle now, unsigned id, std::uint64_t address) = 0;
  [[nodiscard]] virtual bool can_write() const { return true; }
  virtual void write(Cycle now, unsigned id, std::uint64_t address) = 0;   // `now`: of the last data beat

  // ---- the memory's own work
  [[nodiscard]] Cycle work_at() const { return work_at_; }                 // advance() is wanted then
  virtual void advance(Cycle) {}

  // ---- answers
  // First cycle in which a line can be taken (read: its first beat), kNever: none is known yet.
  [[nodiscard]] Cycle read_offered() const { return read_offered_; }
  [[nodiscard]] Cycle write_offered() const { return write_offered_; }
  [[nodiscard]] unsigned read_id() const { return reads_[first_read_].id; }
  [[nodiscard]] const MemoryWaits& read_waits() const { return reads_[first_read_].waits; }
  [[nodiscard]] unsigned write_id() const { return writes_[first_write_].id; }
  void take_read() {
    take_first(reads_, first_read_);
    read_offered_ = reads_.empty() ? kNever : reads_[first_read_].at;
  }
  void take_write() {
    take_first(writes_, first_write_);
    write_offered_ = writes_.empty() ? kNever : writes_[first_write_].at;
  }

 protected:
  // The line of `id` can be sent from `at` on. Lines leave in that order.
  void answer_read(unsigned id, Cycle at, const MemoryWaits& waits = {}) {
    std::size_t place = reads_.size();
    while (place > first_read_ && reads_[place - 1].at > at) --place;
    reads_.insert(reads_.begin() + static_cast<std::ptrdiff_t>(place), {at, id, waits});
    read_offered_ = reads_[first_read_].at;
  }
  void answer_write(unsigned id, Cycle at) {
    writes_.push_back({at, id, {}});
    write_offered_ = writes_[first_write_].at;
  }

  Cycle work_at_ = kNever;

 private:
  struct Answer {
    Cycle at;
    unsigned id;
    MemoryWaits waits;
  };
  // Those in front of `first` are gone; their places are given back now and then.
  static void take_first(std::vector<Answer>& answers, std::size_t& first) {
    if (++first == answers.size()) {
      answers.clear();
      first = 0;
    } else if (first == 32) {
      answers.erase(answers.begin(), answers.begin() + 32);
      first = 0;
    }
  }
  std::vector<Answer> reads_, writes_;
  std::size_t first_read_ = 0, first_write_ = 0;
  Cycle read_offered_ = kNever;
  Cycle write_offered_ = kNever;
};

}  // namespace systole::hw::soc
