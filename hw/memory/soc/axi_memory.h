#pragma once
// What answers on the cache's AXI port: whole lines are read and written. Read bursts are not mixed with one another, one beat a cycle; they
// come in the order in which the memory finishes them.
#include <algorithm>
#include <cstdint>
#include <deque>
#include <iterator>

#include "sim/base/cycle.h"

namespace systole::hw::soc {

class AxiMemory {
 public:
  explicit AxiMemory(unsigned beats) : beats_(beats) {}   // of a line
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
  // First cycle in which a beat can be taken, kNever: none is known yet.
  [[nodiscard]] Cycle read_offered() const { return read_offered_; }
  [[nodiscard]] Cycle write_offered() const { return writes_.empty() ? kNever : writes_.front().at; }
  [[nodiscard]] unsigned read_id() const { return reads_.front().id; }
  // Cycles of the line's wait that were spent opening its row and refreshing.
  [[nodiscard]] Cycle read_row_wait() const { return reads_.front().row_wait; }
  [[nodiscard]] Cycle read_refresh_wait() const { return reads_.front().refresh_wait; }
  [[nodiscard]] unsigned write_id() const { return writes_.front().id; }
  void take_read(Cycle now) {
    if (++beat_ == beats_) {
      beat_ = 0;
      reads_.pop_front();
    }
    offer_read(now + 1);
  }
  void take_write() { writes_.pop_front(); }

 protected:
  // The line of `id` can be sent from `at` on. Lines leave in that order; a burst under way is not interrupted.
  void answer_read(Cycle now, unsigned id, Cycle at, Cycle row_wait = 0, Cycle refresh_wait = 0) {
    auto place = reads_.end();
    const auto first = reads_.begin() + (beat_ != 0 ? 1 : 0);
    while (place != first && std::prev(place)->at > at) --place;
    const bool head = place == reads_.begin();
    reads_.insert(place, {id, at, row_wait, refresh_wait});
    if (head) offer_read(now);
  }
  void answer_write(unsigned id, Cycle at) { writes_.push_back({id, at, 0, 0}); }

  Cycle work_at_ = kNever;

 private:
  struct Answer {
    unsigned id;
    Cycle at;
    Cycle row_wait;
    Cycle refresh_wait;
  };
  void offer_read(Cycle earliest) { read_offered_ = reads_.empty() ? kNever : std::max(earliest, reads_.front().at); }

  const unsigned beats_;
  std::deque<Answer> reads_;
  std::deque<Answer> writes_;
  unsigned beat_ = 0;
  Cycle read_offered_ = kNever;
};

}  // namespace systole::hw::soc
