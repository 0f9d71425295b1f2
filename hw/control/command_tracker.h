#pragma once
// Loads, or stores, that a controller has in flight: an entry is taken when the command starts and completes when all of its work has come
// back (DMACommandTracker.scala).
#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "hw/ports/command.h"
#include "sim/base/errors.h"
#include "sim/kernel/priority_merge.h"

namespace systole::hw {

class CommandTracker {
 public:
  explicit CommandTracker(int entries) : entries_(static_cast<std::size_t>(entries)) {}

  // Index of the lowest free entry.
  [[nodiscard]] std::optional<unsigned> free_entry() const {
    for (unsigned i = 0; i < entries_.size(); ++i) {
      if (!entries_[i].valid) return i;
    }
    return std::nullopt;
  }
  void allocate(unsigned index, std::uint32_t work, const Completion& completion) {
    SYSTOLE_CHECK(!entries_[index].valid);
    entries_[index] = {true, work, 0, completion};
  }
  // Work that has come back, as seen from cycle `from` on; not always told in this order. True when it was the last.
  bool returned(unsigned index, std::uint32_t work, Cycle from) {
    SYSTOLE_CHECK(entries_[index].valid && entries_[index].work_left >= work);
    entries_[index].work_left -= work;
    entries_[index].seen_from = std::max(entries_[index].seen_from, from);
    return entries_[index].work_left == 0;
  }

  // Once per cycle, in two steps around the work that comes back in it: release what the completion port took in the cycle before, ...
  using Port = PriorityMerge<Completion, kCompletionSources>;
  void release_granted(Cycle now, const Port& port, CompletionSource source) {
    if (offered_ && offered_in_ + 1 == now && port.was_granted(source, offered_in_)) entries_[*offered_].valid = false;
  }
  // ... then offer the lowest completed entry. True when there is one: its fate is known in the next cycle.
  [[nodiscard]] bool offer_completed(Cycle now, Port& port, CompletionSource source) {
    if (offered_in_ == now) return true;
    offered_ = completed(now);
    if (!offered_) return false;
    offered_in_ = now;
    port.offer(source, now, entries_[*offered_].completion);
    return true;
  }
  [[nodiscard]] bool busy() const {
    for (const Entry& entry : entries_) {
      if (entry.valid) return true;
    }
    return false;
  }

  void residual(Residual& r) {
    r.rest(!busy());
    r.time(offered_in_);
  }

 private:
  // Index of the lowest entry whose work is done.
  [[nodiscard]] std::optional<unsigned> completed(Cycle now) const {
    for (unsigned i = 0; i < entries_.size(); ++i) {
      if (entries_[i].valid && entries_[i].work_left == 0 && entries_[i].seen_from <= now) return i;
    }
    return std::nullopt;
  }
  struct Entry {
    bool valid = false;
    std::uint32_t work_left = 0;
    Cycle seen_from = 0;
    Completion completion;
  };
  std::vector<Entry> entries_;
  std::optional<unsigned> offered_;   // in cycle offered_in_
  Cycle offered_in_ = kNever;
};

}  // namespace systole::hw
