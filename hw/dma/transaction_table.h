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
  explicit TransactionTable(int entries)
      : entries_(static_cast<std::size_t>(entries)), taken_((entries_.size() + 63) / 64, 0), leaving_(entries_.size()) {
    if (entries_.size() % 64 != 0) taken_.back() = ~std::uint64_t{0} << (entries_.size() % 64);   // entries that do not exist
  }

  // The lowest entry that is free in this cycle; one released in this cycle is not.
  [[nodiscard]] std::optional<unsigned> free_entry(Cycle now) {
    while (leaving_size_ != 0 && leaving_[leaving_head_].free_from <= now) {
      const unsigned index = leaving_[leaving_head_].index;
      taken_[index / 64] &= ~(std::uint64_t{1} << (index % 64));
      leaving_head_ = leaving_head_ + 1 == leaving_.size() ? 0 : leaving_head_ + 1;
      --leaving_size_;
    }
    for (unsigned word = 0; word < taken_.size(); ++word) {
      if (~taken_[word] != 0) return word * 64 + static_cast<unsigned>(__builtin_ctzll(~taken_[word]));
    }
    return std::nullopt;
  }
  // The transaction of a free entry that is taken now, to be filled in.
  [[nodiscard]] Transaction& allocate(unsigned index) {
    taken_[index / 64] |= std::uint64_t{1} << (index % 64);
    ++in_use_;
    return entries_[index];
  }
  [[nodiscard]] const Transaction& at(unsigned index) const {
    SYSTOLE_CHECK((taken_[index / 64] >> (index % 64) & 1u) != 0);
    return entries_[index];
  }
  // The last beat is taken in cycle `at`, the running one or a later one; releases are announced in their order.
  void release(unsigned index, Cycle at) {
    SYSTOLE_CHECK(in_use_ != 0 && at >= last_release_);
    const std::size_t slot = leaving_head_ + leaving_size_;
    leaving_[slot < leaving_.size() ? slot : slot - leaving_.size()] = {at + 1, index};
    ++leaving_size_;
    last_release_ = at;
    --in_use_;
  }
  // Requests whose last beat has not been taken by the end of this cycle.
  [[nodiscard]] bool any_in_flight(Cycle now) const { return in_use_ != 0 || last_release_ > now; }
  // Of those, requests whose last beat is not announced.
  [[nodiscard]] std::size_t in_use() const { return in_use_; }

 private:
  std::vector<Transaction> entries_;
  struct Leaving {
    Cycle free_from = 0;
    unsigned index = 0;
  };
  std::vector<std::uint64_t> taken_;   // one bit per entry
  std::vector<Leaving> leaving_;       // ring: released, but still taken
  std::size_t leaving_head_ = 0;
  std::size_t leaving_size_ = 0;
  std::size_t in_use_ = 0;
  Cycle last_release_ = 0;
};

}  // namespace systole::hw
