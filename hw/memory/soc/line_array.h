#pragma once
// The data array of a cache: one line a place. A line is brought in when its bytes are first wanted, so that lines which are in the cache
// before the first command get what memory holds by then.
#include <cstdint>
#include <vector>

#include "hw/memory/soc/line_values.h"

namespace systole::hw::soc {

class LineArray {
 public:
  // `places` lines above `below`; null: a run without values, nothing may be asked.
  LineArray(std::size_t places, LineValues* below) : below_(below) {
    if (below == nullptr) return;
    bytes_.resize(places * kLineBytes);
    present_.resize(places);
  }
  [[nodiscard]] bool used() const { return below_ != nullptr; }

  // The bytes of the line of `address`, which owns `place`.
  [[nodiscard]] std::uint8_t* line(std::size_t place, std::uint64_t address) {
    std::uint8_t* bytes = &bytes_[place * kLineBytes];
    if (present_[place] == 0) {
      below_->load(address, bytes);
      present_[place] = 1;
    }
    return bytes;
  }
  // All of the line will be written: nothing is brought in.
  [[nodiscard]] std::uint8_t* whole_line(std::size_t place) {
    present_[place] = 1;
    return &bytes_[place * kLineBytes];
  }
  // The line leaves its place, after a write-back if it was changed.
  void leave(std::size_t place) { present_[place] = 0; }
  void write_back(std::size_t place, std::uint64_t address) {
    if (present_[place] != 0) below_->store(address, &bytes_[place * kLineBytes]);
  }

 private:
  LineValues* below_;
  std::vector<std::uint8_t> bytes_;
  std::vector<std::uint8_t> present_;
};

}  // namespace systole::hw::soc
