#include "sim/report/timeline_trace.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace systole::report {
namespace {

std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

std::string track_name(unsigned track, const std::string& name) {
  return fmt::format(R"({{"ph":"M","pid":1,"tid":{},"name":"thread_name","args":{{"name":{}}}}},{{"ph":"M","pid":1,"tid":{},"name":"thread_sort_index","args":{{"sort_index":{}}}}})",
                     track, quoted(name), track, track);
}

}  // namespace

void TimelineTrace::add(unsigned unit, unsigned state, Cycle from, Cycle to) {
  if (lanes()[unit].states[state].kind == StateKind::kIdle) return;
  if (periods_.size() < kMostPeriods) {
    periods_.push_back({unit, state, from, to});
  } else if (!full_) {
    full_ = from;
  }
}

// By unit and time; a state that was accounted for in parts is one period.
std::vector<TimelineTrace::Period> TimelineTrace::tracks() const {
  std::vector<Period> sorted = periods_;
  std::sort(sorted.begin(), sorted.end(), [](const Period& a, const Period& b) { return std::tie(a.unit, a.from) < std::tie(b.unit, b.from); });
  std::vector<Period> result;
  for (const Period& p : sorted) {
    const bool goes_on = !result.empty() && result.back().unit == p.unit && result.back().state == p.state && result.back().to == p.from;
    if (goes_on) {
      result.back().to = p.to;
    } else {
      result.push_back(p);
    }
  }
  return result;
}

std::string TimelineTrace::text(const Run& run) const {
  std::string text = fmt::format(R"({{"displayTimeUnit":"ns","otherData":{{"title":{},"cycles":{},"unit of time":"1 us is 1 cycle"}},"traceEvents":[)" "\n"
                                 R"({{"ph":"M","pid":1,"name":"process_name","args":{{"name":{}}}}},)" "\n",
                                 quoted(run.title), run.cycles, quoted(run.title));
  text += track_name(0, "region");
  for (unsigned unit = 0; unit < lanes().size(); ++unit) text += ",\n" + track_name(unit + 1, lanes()[unit].name);
  const auto event = [&](unsigned track, const std::string& name, const char* kind, Cycle from, Cycle to) {
    text += fmt::format(R"(,{}{{"ph":"X","pid":1,"tid":{},"ts":{},"dur":{},"cat":"{}","name":{}}})", "\n", track, from, to - from, kind, name);
  };
  Cycle at = 0;
  for (const Region& region : run.regions) {
    const Cycle from = std::max(at, window().first), to = std::min(at + region.cycles, window().last);
    if (from < to) event(0, quoted(region.name), "region", from, to);
    at += region.cycles;
  }
  for (const Period& p : tracks()) {
    if (p.from >= run.cycles) continue;
    const StateInfo& state = lanes()[p.unit].states[p.state];
    event(p.unit + 1, quoted(state.name), state.kind == StateKind::kBusy ? "busy" : "stall", p.from, std::min(p.to, run.cycles));
  }
  return text + "\n]}\n";
}

}  // namespace systole::report
