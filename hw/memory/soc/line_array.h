#pragma once
// The data array of a cache: one line a place. A line has bytes of its own from the first write on; until then it is what stands below, so that
// lines which are in the cache before the first command are what memory holds by then.
#include <cstdint>
#include <vector>

#include "hw/memory/soc/line_values.h"
#include "sim/base/errors.h"

namespace systole::hw::soc {

class LineArray {
 public:
  // `places` lines above `below`; null: a run without values, nothing may be asked.
  LineArray(std::size_t places, LineValues* below) : below_(below) {
    if (below == nullptr) return;
    bytes_.resize(places * kLineBytes);
    owners_.resize(places);
  }
  [[nodiscard]] bool used() const { return below_ != nullptr; }

  // Something will be asked about one of the places from here on.
  void expect(std::size_t place) const {
    if (used()) __builtin_prefetch(&owners_[place]);
  }
  // The bytes of the line of `address`, which owns `place`; valid until the next call.
  [[nodiscard]] const std::uint8_t* read(std::size_t place, std::uint64_t address) {
    if (owners_[place] == 0) return below_->look(address, buffer_);
    SYSTOLE_CHECK(owner(place) == address);
    return &bytes_[place * kLineBytes];
  }
  [[nodiscard]] std::uint8_t* write(std::size_t place, std::uint64_t address) {
    std::uint8_t* const bytes = &bytes_[place * kLineBytes];
    if (const std::uint8_t* const now = read(place, address); now != bytes) std::memcpy(bytes, now, kLineBytes);
    owners_[place] = address | kOwn | kChanged;
    return bytes;
  }
  // All of the line will be written.
  [[nodiscard]] std::uint8_t* write_whole(std::size_t place, std::uint64_t address) {
    owners_[place] = address | kOwn | kChanged;
    return &bytes_[place * kLineBytes];
  }
  // A changed line is stored below; it stays.
  void write_back(std::size_t place) {
    if ((owners_[place] & kChanged) == 0) return;
    below_->store(owner(place), &bytes_[place * kLineBytes]);
    owners_[place] &= ~kChanged;
  }
  // The line leaves its place; it was written back if it was changed.
  void leave(std::size_t place) {
    SYSTOLE_CHECK((owners_[place] & kChanged) == 0);
    owners_[place] = 0;
  }

  void write_back_all() {
    for (std::size_t place = 0; place < owners_.size(); ++place) write_back(place);
  }
  void leave_all() {
    for (std::size_t place = 0; place < owners_.size(); ++place) leave(place);
  }

 private:
  // Flags in the low bits of a line's address; no flag: the place has no bytes of its own.
  static constexpr std::uint64_t kOwn = 1, kChanged = 2;
  [[nodiscard]] std::uint64_t owner(std::size_t place) const { return owners_[place] & ~(kOwn | kChanged); }

  LineValues* below_;
  std::vector<std::uint8_t> bytes_;
  std::vector<std::uint64_t> owners_;
  std::uint8_t buffer_[kLineBytes] = {};
};

}  // namespace systole::hw::soc
