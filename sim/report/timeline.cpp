#include "sim/report/timeline.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "sim/report/timeline_picture.h"
#include "sim/report/timeline_trace.h"

namespace systole::report {

TimelineWindow parse_window(const std::string& text, const std::string& option) {
  TimelineWindow window;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, window.first);
  const bool colon = first.ec == std::errc() && first.ptr != end && *first.ptr == ':';
  const auto last = colon ? std::from_chars(first.ptr + 1, end, window.last) : first;
  if (!colon || last.ec != std::errc() || last.ptr != end) throw ConfigError(fmt::format("{} {}: expected FIRST:LAST, two numbers of cycles", option, text));
  if (window.first >= window.last) throw ConfigError(fmt::format("{} {}: the window is empty", option, text));
  return window;
}

void Timeline::units(const std::vector<const Ledger*>& ledgers) {
  for (const Ledger* ledger : ledgers) units_.push_back({ledger->unit(), ledger->states()});
}

void Timeline::period(unsigned unit, unsigned state, Cycle from, Cycle to) {
  if (origin_ == kNever || to <= origin_) return;
  const Cycle begin = std::max(std::max(from, origin_) - origin_, window_.first);
  const Cycle end = std::min(to - origin_, window_.last);
  if (begin < end) add(unit, state, begin, end);
}

std::unique_ptr<Timeline> make_timeline(const std::string& file, TimelineWindow window) {
  const std::string ending = std::filesystem::path(file).extension();
  if (ending == ".svg") return std::make_unique<TimelinePicture>(window);
  if (ending == ".json") return std::make_unique<TimelineTrace>(window);
  throw ConfigError(fmt::format("{}: a timeline is a picture (.svg) or a trace for Perfetto (.json)", file));
}

}  // namespace systole::report
