#pragma once
// --timeline FILE and --timeline-window FIRST:LAST: what every unit does in every cycle of one run.
#include <memory>
#include <string>

#include "sim/app/arguments.h"
#include "sim/report/timeline.h"

namespace systole::app {

struct TimelineOption {
  std::string file;               // empty: none
  report::TimelineWindow window;

  // To be given to the run as its StateLog; null: none.
  [[nodiscard]] std::unique_ptr<report::Timeline> make() const;
  void write(const report::Timeline& timeline, const report::Timeline::Run& run) const;
};

void add_timeline_options(Arguments& arguments);
// Throws ConfigError: a file that cannot be written or is of no known kind, no window.
[[nodiscard]] TimelineOption timeline_option(const Arguments& arguments);

}  // namespace systole::app
