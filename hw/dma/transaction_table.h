#pragma once
// Read requests in flight: what to do with the bytes when they come back (XactTracker.scala).
#include <cstdint>
#include <optional>
#include <vector>

#include "hw/ports/row.h"
#include "sim/base/cycle.h"
#include "sim/base/errors.h"

namespace systole::hw {

struct Transaction {
  LoadedRow row;             // template of the chunks; `row.row` is the local row of the first
  int shift = 0;             // bytes in front of the first useful one
  int useful = 0;            // bytes that the program asked for
  int first_byte = 0;        // offset of the first useful byte in its local row
  int request_bytes = 0;
  std::uint32_t block_stride = 0;
};

class TransactionTable {
 public:
  explicit TransactionTable(int entries) : entries_(static_cast<std::size_t>(entries)) {}

  // The lowest entry that is free in this cycle; one released in this cycle is not.
  [[nodiscard]] std::optional<unsigned> free_entry(Cycle now) const {
    if (in_flight_ == entries_.size()) return std::nullopt;
    for (unsigned i = 0; i < entries_.size(); ++i) {
      if (!entries_[i].valid && entries_[i].released != now) return i;
    }
    return std::nullopt;
  }
  void allocate(unsigned index, const Transaction& transaction) {
    SYSTOLE_CHECK(!entries_[index].valid);
    entries_[index].valid = true;
    entries_[index].transaction = transaction;
    ++in_flight_;
  }
  [[nodiscard]] const Transaction& at(unsigned index) const {
    SYSTOLE_CHECK(entries_[index].valid);
    return entries_[index].transaction;
  }
  void release(unsigned index, Cycle now) {
    SYSTOLE_CHECK(entries_[index].valid);
    entries_[index].valid = false;
    entries_[index].released = now;
    --in_flight_;
  }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }

 private:
  struct Entry {
    bool valid = false;
    Cycle released = kNever;
    Transaction transaction;
  };
  std::vector<Entry> entries_;
  std::size_t in_flight_ = 0;
};

}  // namespace systole::hw
