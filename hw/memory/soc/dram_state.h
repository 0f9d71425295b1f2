#pragma once
// Banks and buses of one DRAM rank: when a command may follow those before it. Times are clocks of the part.
#include <array>
#include <cstdint>
#include <vector>

#include "hw/params/dram_timing.h"

namespace systole::hw::soc {

enum class DramCommand : std::uint8_t { kActivate, kPrecharge, kRead, kWrite, kRefresh };

class DramState {
 public:
  static constexpr std::int64_t kClosed = -1;

  explicit DramState(const DramTiming& timing);

  [[nodiscard]] std::int64_t open_row(unsigned bank) const { return banks_[bank].row; }
  [[nodiscard]] bool all_closed() const;

  // First clock in which the timings allow the command; that the bank is open or closed as it must be is the caller's business.
  // kRefresh: for all banks, which are closed.
  [[nodiscard]] DramClock earliest(DramCommand command, unsigned bank) const;
  void issue(DramClock at, DramCommand command, unsigned bank, std::int64_t row = kClosed);

 private:
  static constexpr DramClock kLongAgo = -1'000'000'000;
  struct Bank {
    std::int64_t row = kClosed;
    DramClock activate = 0;     // earliest
    DramClock precharge = 0;
    DramClock column = 0;
  };
  // Times of the last command, anywhere and by bank group.
  struct Last {
    DramClock any = kLongAgo;
    std::array<DramClock, 8> group;
    Last() { group.fill(kLongAgo); }
    void note(DramClock at, unsigned g) {
      any = at;
      group[g] = at;
    }
    [[nodiscard]] DramClock next(unsigned g, DramClock elsewhere, DramClock inside) const {
      const DramClock a = any + elsewhere, b = group[g] + inside;
      return a > b ? a : b;
    }
  };
  [[nodiscard]] unsigned group(unsigned bank) const { return bank % timing_.groups; }

  const DramTiming timing_;
  std::vector<Bank> banks_;
  Last activates_, reads_, writes_;
  std::array<DramClock, 4> window_;   // the last four activates, oldest at window_head_
  unsigned window_head_ = 0;
};

}  // namespace systole::hw::soc
