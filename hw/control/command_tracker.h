#pragma once
// Loads, or stores, that a controller has in flight: an entry is taken when the command starts and completes when all of its work has come
// back (DMACommandTracker.scala).
#include <cstdint>
#include <optional>
#include <vector>

#include "hw/ports/command.h"
#include "sim/base/errors.h"

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
    entries_[index] = {true, work, completion};
  }
  void returned(unsigned index, std::uint32_t work) {
    SYSTOLE_CHECK(entries_[index].valid && entries_[index].work_left >= work);
    entries_[index].work_left -= work;
  }
  // Index of the lowest entry whose work is done.
  [[nodiscard]] std::optional<unsigned> completed() const {
    for (unsigned i = 0; i < entries_.size(); ++i) {
      if (entries_[i].valid && entries_[i].work_left == 0) return i;
    }
    return std::nullopt;
  }
  [[nodiscard]] const Completion& completion(unsigned index) const { return entries_[index].completion; }
  void release(unsigned index) { entries_[index].valid = false; }
  [[nodiscard]] bool busy() const {
    for (const Entry& entry : entries_) {
      if (entry.valid) return true;
    }
    return false;
  }

 private:
  struct Entry {
    bool valid = false;
    std::uint32_t work_left = 0;
    Completion completion;
  };
  std::vector<Entry> entries_;
};

}  // namespace systole::hw
