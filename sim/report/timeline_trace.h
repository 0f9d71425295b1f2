#pragma once
// Every period as an event of the Trace Event Format (JSON), a track per unit; a microsecond there is a cycle.
#include "sim/report/timeline.h"

namespace systole::report {

class TimelineTrace final : public Timeline {
 public:
  static constexpr std::size_t kMostPeriods = 1'000'000;   // some 100 MB of text

  explicit TimelineTrace(TimelineWindow window) : Timeline(window) {}

  [[nodiscard]] std::string text(const Run& run) const override;
  [[nodiscard]] std::optional<Cycle> full() const override { return full_; }

 private:
  struct Period {
    unsigned unit = 0, state = 0;
    Cycle from = 0, to = 0;
  };
  [[nodiscard]] std::vector<Period> tracks() const;
  void add(unsigned unit, unsigned state, Cycle from, Cycle to) override;

  std::vector<Period> periods_;   // without idle ones
  std::optional<Cycle> full_;
};

}  // namespace systole::report
