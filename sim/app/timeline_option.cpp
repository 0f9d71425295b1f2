#include "sim/app/timeline_option.h"

#include <fmt/core.h>

#include "sim/app/simulation_options.h"
#include "sim/base/errors.h"
#include "sim/base/file.h"

namespace systole::app {

namespace po = boost::program_options;

void add_timeline_options(Arguments& arguments) {
  arguments
      .add("timeline", po::value<std::string>()->value_name("FILE"),
           "what every unit does in every cycle: a picture (FILE.svg), or a trace for Perfetto (FILE.json; a microsecond there is a cycle)")
      .add("timeline-window", po::value<std::string>()->value_name("FIRST:LAST"), "the timeline shows these cycles of the run only (default: all)");
}

TimelineOption timeline_option(const Arguments& arguments) {
  TimelineOption option;
  option.file = result_file(arguments, "timeline");
  const std::string window = arguments.get<std::string>("timeline-window", "");
  if (option.file.empty() && !window.empty()) throw ConfigError("--timeline-window: --timeline FILE is missing");
  if (!window.empty()) option.window = report::parse_window(window, "--timeline-window");
  (void)option.make();   // is it a known kind of file?
  return option;
}

std::unique_ptr<report::Timeline> TimelineOption::make() const { return file.empty() ? nullptr : report::make_timeline(file, window); }

void TimelineOption::write(const report::Timeline& timeline, const report::Timeline::Run& run) const {
  write_atomically(file, timeline.text(run));
  if (const std::optional<Cycle> full = timeline.full()) {
    fmt::print(stderr, "systole: {} ends at cycle {}, where it had become too long; --timeline-window FIRST:LAST shows other cycles\n", file, *full);
  }
}

}  // namespace systole::app
