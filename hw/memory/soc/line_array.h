#pragma once
// The data array of a cache: one line a place. A line is brought in when its bytes are first wanted, so that lines which are in the cache
// before the first command get what memory holds by then.
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

  // The bytes of the line of `address`, which owns `place`.
  [[nodiscard]] const std::uint8_t* read(std::size_t place, std::uint64_t address) { return bring(place, address); }
  [[nodiscard]] std::uint8_t* write(std::size_t place, std::uint64_t address) {
    std::uint8_t* const bytes = bring(place, address);
    owners_[place].changed = true;
    return bytes;
  }
  // All of the line will be written: nothing is brought in.
  [[nodiscard]] std::uint8_t* write_whole(std::size_t place, std::uint64_t address) {
    owners_[place] = {address, true, true};
    return &bytes_[place * kLineBytes];
  }
  // A changed line is stored below; it stays.
  void write_back(std::size_t place) {
    Owner& owner = owners_[place];
    if (owner.changed) below_->store(owner.address, &bytes_[place * kLineBytes]);
    owner.changed = false;
  }
  // The line leaves its place; it was written back if it was changed.
  void leave(std::size_t place) {
    SYSTOLE_CHECK(!owners_[place].changed);
    owners_[place].present = false;
  }

  void write_back_all() {
    for (std::size_t place = 0; place < owners_.size(); ++place) write_back(place);
  }
  void leave_all() {
    for (std::size_t place = 0; place < owners_.size(); ++place) leave(place);
  }

 private:
  struct Owner {
    std::uint64_t address = 0;
    bool present = false;
    bool changed = false;
  };
  [[nodiscard]] std::uint8_t* bring(std::size_t place, std::uint64_t address) {
    std::uint8_t* const bytes = &bytes_[place * kLineBytes];
    Owner& owner = owners_[place];
    if (!owner.present) {
      below_->load(address, bytes);
      owner = {address, true, false};
    }
    SYSTOLE_CHECK(owner.address == address);
    return bytes;
  }

  LineValues* below_;
  std::vector<std::uint8_t> bytes_;
  std::vector<Owner> owners_;
};

}  // namespace systole::hw::soc
