#pragma once
// A run of any length as an SVG picture of fixed width: a lane per unit, in each column the shares of its cycles that are busy, in a stall
// or idle, so that areas are cycles.
#include <array>

#include "sim/report/timeline.h"

namespace systole::report {

class TimelinePicture final : public Timeline {
 public:
  static constexpr std::size_t kColumns = 1024;

  explicit TimelinePicture(TimelineWindow window) : Timeline(window) {}

  [[nodiscard]] std::string text(const Run& run) const override;
  void units(const std::vector<const Ledger*>& ledgers) override;

 private:
  void add(unsigned unit, unsigned state, Cycle from, Cycle to) override;
  // Columns of twice the cycles.
  void widen();

  Cycle width_ = 1;                                            // cycles of a column
  std::vector<std::vector<std::array<Cycle, kColumns>>> lanes_;   // unit, state, column: cycles
};

}  // namespace systole::report
