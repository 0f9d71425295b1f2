#include "hw/execute/control_queue.h"

namespace systole::hw {

// The path behind the latch takes capacity - 1 rows (ExecuteController.scala: spad_read_delay + 1 entries, Scratchpad.scala: spad_read_delay rows).
bool ControlQueue::holds_latch(Cycle now, std::uint32_t bank) const {
  if (size(now) < capacity_) return false;
  unsigned waiting = 0;
  for (unsigned s = 0; s < size_; ++s) {
    const ControlSegment& segment = segments_[(head_ + s) & mask()];
    const unsigned first = s == 0 && follow_from_ <= now ? followed_taken(now) : segment.taken;
    for (unsigned entry = first; entry < segment.count && segment.start + entry < now; ++entry) {
      if (segment.reads_bank(entry, bank)) ++waiting;
    }
  }
  return waiting >= capacity_;
}

}  // namespace systole::hw
