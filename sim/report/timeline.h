#pragma once
// A run as something to look at: what each unit does in each cycle, busy, idle or in one of its stalls.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/base/cycle.h"
#include "sim/stats/ledger.h"
#include "sim/stats/state_log.h"

namespace systole::report {

// Cycles of the run, counted from its begin as in every report (hw/host/issuing_host.h): [first, last).
struct TimelineWindow {
  Cycle first = 0;
  Cycle last = kNever;
};
// "FIRST:LAST"; throws ConfigError.
[[nodiscard]] TimelineWindow parse_window(const std::string& text, const std::string& option);

class Timeline : public StateLog {
 public:
  // What the recorded states belong to. `regions` partition the run.
  struct Region {
    std::string name;
    Cycle cycles = 0;
  };
  struct Run {
    std::string title;
    Cycle cycles = 0;
    std::vector<Region> regions;
  };
  explicit Timeline(TimelineWindow window) : window_(window) {}

  // The file's text.
  [[nodiscard]] virtual std::string text(const Run& run) const = 0;
  // The cycle at which recording ended because there was too much of it.
  [[nodiscard]] virtual std::optional<Cycle> full() const { return std::nullopt; }

  void units(const std::vector<const Ledger*>& ledgers) override;
  void begin(Cycle origin) override { origin_ = origin; }
  void period(unsigned unit, unsigned state, Cycle from, Cycle to) final;

 protected:
  struct Unit {
    std::string name;
    std::vector<StateInfo> states;
  };
  // A period inside the window, in cycles of the run.
  virtual void add(unsigned unit, unsigned state, Cycle from, Cycle to) = 0;
  [[nodiscard]] const std::vector<Unit>& lanes() const { return units_; }
  [[nodiscard]] const TimelineWindow& window() const { return window_; }

 private:
  const TimelineWindow window_;
  Cycle origin_ = kNever;
  std::vector<Unit> units_;
};

// By the ending of the file's name: .svg is a picture of any number of cycles, .json a trace in the Trace Event Format that Perfetto and
// chrome://tracing show. Throws ConfigError for another ending.
[[nodiscard]] std::unique_ptr<Timeline> make_timeline(const std::string& file, TimelineWindow window);

}  // namespace systole::report
