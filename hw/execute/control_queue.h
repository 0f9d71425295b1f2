#pragma once
// The control queue between operand fetch and array input: one entry per row step, pipelined (full, it accepts in the cycle in which its head
// leaves; ExecuteController.scala mesh_cntl_signals_q). Row steps that follow one another without a hitch are one segment, whose entries come
// into being by themselves, one per cycle, until the controller ends or cuts it; likewise the array input may follow a segment instead of
// taking its entries one by one.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/base/cycle.h"
#include "sim/base/errors.h"
#include "sim/base/residual.h"

namespace systole::hw {

// Row steps of one operation. A segment of more than one step begins with the operation's first, and all three operands step every time.
struct ControlSegment {
  static constexpr unsigned kOperands = 3;   // A, B, D

  Cycle start = 0;                       // cycle in which the first step is pushed
  std::uint16_t count = 1;
  std::uint16_t taken = 0;               // entries that have left
  std::uint16_t op = 0;                  // index into ExecuteLinks::ops
  std::uint8_t fire = 7;                 // operands that step, one bit each
  bool first = true;                     // nothing of the operation was fetched before
  bool propagate = false;                // exchange the registers when the request fires
  std::uint8_t bank[kOperands] = {0, 0, 0};
  std::uint16_t step[kOperands] = {0, 0, 0};         // row step of each operand at the segment's first entry
  // Entries whose operand is read from the scratchpad, in this bank: [from, to).
  std::uint16_t reads_from[kOperands] = {0, 0, 0};
  std::uint16_t reads_to[kOperands] = {0, 0, 0};

  // Operands of an entry whose data must arrive from the scratchpad.
  [[nodiscard]] unsigned waits(unsigned entry) const {
    unsigned mask = 0;
    for (unsigned x = 0; x < kOperands; ++x) mask |= (entry >= reads_from[x] && entry < reads_to[x] ? 1u : 0u) << x;
    return mask;
  }
  [[nodiscard]] bool reads_bank(unsigned entry, std::uint32_t which) const {
    for (unsigned x = 0; x < kOperands; ++x) {
      if (bank[x] == which && entry >= reads_from[x] && entry < reads_to[x]) return true;
    }
    return false;
  }
};

class ControlQueue {
 public:
  // `latency`: cycles from a read to its data. They need no queue of their own: the response path is full only when all entries wait for
  // the same bank, and then the newest one's data are not yet due.
  ControlQueue(unsigned capacity, Cycle latency) : capacity_(capacity), latency_(latency) {
    std::size_t slots = 4;
    while (slots < capacity + 2) slots *= 2;
    segments_.resize(slots);
  }

  [[nodiscard]] unsigned capacity() const { return capacity_; }
  [[nodiscard]] Cycle latency() const { return latency_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] bool growing() const { return growing_; }
  [[nodiscard]] bool followed_by_input() const { return follow_from_ != kNever; }
  // Entries before the push of this cycle, after its pop.
  [[nodiscard]] unsigned size(Cycle now) const {
    int entries = entries_;
    if (growing_) entries += static_cast<int>(now - tail().start);
    if (follow_from_ <= now) entries -= static_cast<int>(followed_taken(now));
    return static_cast<unsigned>(entries);
  }
  [[nodiscard]] bool can_push(Cycle now) const { return size(now) < capacity_; }
  // After the controller's turn.
  [[nodiscard]] bool pushed_in(Cycle now) const { return size_ != 0 && now - tail().start < tail().count; }
  [[nodiscard]] bool reads(Cycle now, std::uint32_t bank) const {
    return pushed_in(now) && tail().reads_bank(static_cast<unsigned>(now - tail().start), bank);
  }
  [[nodiscard]] bool holds_latch(Cycle now, std::uint32_t bank) const;

  // ---- ExecuteController
  void push(const ControlSegment& entry) {
    SYSTOLE_CHECK(!growing_);
    append(entry);
    ++entries_;
  }
  // From now on one entry per cycle, until end() or cut().
  // `segment` was filled in where next() says.
  void begin() {
    SYSTOLE_CHECK(!growing_ && size_ < segments_.size());
    ++size_;
    growing_ = true;
  }
  void begin(const ControlSegment& segment) {
    next() = segment;
    begin();
  }
  [[nodiscard]] ControlSegment& next() { return segments_[(head_ + size_) & mask()]; }
  // The last entry is pushed in this cycle.
  void end() {
    entries_ += tail().count;
    growing_ = false;
  }
  // Only the first `count` entries were pushed.
  void cut(unsigned count) {
    ControlSegment& segment = tail();
    segment.count = static_cast<std::uint16_t>(count);
    entries_ += static_cast<int>(count);
    growing_ = false;
    if (segment.taken == count) drop_head();
  }

  // ---- MeshInput
  // The segment whose next entry is visible, or null.
  [[nodiscard]] const ControlSegment* front(Cycle now) const {
    return size_ != 0 && head().start + head().taken < now ? &head() : nullptr;
  }
  // The cycle from which the next entry can leave as far as it and its data are concerned, or kNever.
  [[nodiscard]] Cycle due() const {
    if (size_ == 0) return kNever;
    return head().start + head().taken + (head().waits(head().taken) != 0 ? latency_ : 1);
  }
  void pop() {
    ControlSegment& segment = head();
    ++segment.taken;
    --entries_;
    if (segment.taken == segment.count) drop_head();
  }
  // One entry of the head segment, of which none was taken, leaves per cycle from this cycle on.
  void follow(Cycle from) { follow_from_ = from; }
  [[nodiscard]] const ControlSegment& followed() const { return head(); }
  // Back to single entries; `taken` of them have left.
  void unfollow(unsigned taken) {
    follow_from_ = kNever;
    entries_ -= static_cast<int>(taken);
    head().taken = static_cast<std::uint16_t>(taken);
    if (head().taken == head().count) drop_head();
  }

  // Whose entries are inside: places in the ring of operations, one bit each.
  [[nodiscard]] std::uint64_t operations() const {
    std::uint64_t places = 0;
    for (unsigned s = 0; s < size_; ++s) places |= std::uint64_t{1} << segments_[(head_ + s) & mask()].op;
    return places;
  }
  // Places in a ring are compared by their distance from `newest`, the operation that was started last.
  void residual(Residual& r, unsigned newest, unsigned places) {
    r(size_);
    if (r.loads()) head_ = 0;
    r(entries_);
    r(growing_);
    bool followed = followed_by_input();
    r(followed);
    if (followed) {
      r.since(follow_from_);
    } else {
      follow_from_ = kNever;
    }
    for (unsigned s = 0; s < size_; ++s) {
      ControlSegment& segment = segments_[(head_ + s) & mask()];
      r.since(segment.start);
      r(segment.count);
      r(segment.taken);
      unsigned distance = (newest + places - segment.op) % places;
      r(distance);
      segment.op = static_cast<std::uint16_t>((newest + places - distance) % places);
      r(segment.fire);
      r(segment.first);
      r(segment.propagate);
      for (unsigned x = 0; x < ControlSegment::kOperands; ++x) {
        r(segment.bank[x]);
        r(segment.step[x]);
        r(segment.reads_from[x]);
        r(segment.reads_to[x]);
      }
    }
  }

 private:
  [[nodiscard]] unsigned mask() const { return static_cast<unsigned>(segments_.size()) - 1; }
  [[nodiscard]] ControlSegment& head() { return segments_[head_]; }
  [[nodiscard]] const ControlSegment& head() const { return segments_[head_]; }
  [[nodiscard]] ControlSegment& tail() { return segments_[(head_ + size_ - 1) & mask()]; }
  [[nodiscard]] const ControlSegment& tail() const { return segments_[(head_ + size_ - 1) & mask()]; }
  [[nodiscard]] unsigned followed_taken(Cycle now) const {
    return static_cast<unsigned>(std::min<Cycle>(head().count, now - follow_from_ + 1));
  }
  void append(const ControlSegment& segment) {
    SYSTOLE_CHECK(size_ < segments_.size());
    segments_[(head_ + size_) & mask()] = segment;
    ++size_;
  }
  void drop_head() {
    head_ = (head_ + 1) & mask();
    --size_;
  }

  unsigned capacity_;
  Cycle latency_;
  std::vector<ControlSegment> segments_;
  unsigned head_ = 0;
  unsigned size_ = 0;
  int entries_ = 0;                // pushed and not taken; a growing segment counts when it ends, so this may be negative
  bool growing_ = false;           // the last segment gets one entry per cycle
  Cycle follow_from_ = kNever;
};

}  // namespace systole::hw
