#include "sim/report/timeline_picture.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "sim/report/table.h"

namespace systole::report {
namespace {

constexpr double kLeft = 160, kTop = 86, kLane = 34, kGap = 10, kLegendLine = 18, kRight = 24;
constexpr double kPicture = TimelinePicture::kColumns;
constexpr const char* kBusy = "#59a14f";
constexpr const char* kStalls[] = {"#e15759", "#f28e2b", "#4e79a7", "#b07aa1", "#edc948", "#76b7b2", "#9c755f", "#ff9da7", "#8c2d04", "#1f4e79"};
constexpr const char* kOtherStall = "#999999";
constexpr const char* kRegions[] = {"#d9e2ec", "#bcccdc"};
constexpr double kLetter = 7;   // pixels of its width
constexpr double kSteps = 200;   // of the height of a lane

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '<') result += "&lt;";
    else if (c == '>') result += "&gt;";
    else if (c == '&') result += "&amp;";
    else result += c;
  }
  return result;
}

std::string rectangle(double x, double y, double width, double height, const char* fill) {
  return fmt::format(R"(<rect x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}" fill="{}")", x, y, width, height, fill);
}

// A step of 1, 2 or 5 times a power of ten that gives at most ten of them.
Cycle tick_step(Cycle cycles) {
  Cycle step = 1;
  while (true) {
    for (const Cycle factor : {1, 2, 5}) {
      if (cycles / (step * factor) <= 10) return step * factor;
    }
    step *= 10;
  }
}

}  // namespace

void TimelinePicture::units(const std::vector<const Ledger*>& ledgers) {
  Timeline::units(ledgers);
  for (const Ledger* ledger : ledgers) lanes_.emplace_back(ledger->states().size());
}

void TimelinePicture::widen() {
  width_ *= 2;
  for (auto& lane : lanes_) {
    for (auto& state : lane) {
      for (std::size_t c = 0; c < kColumns; ++c) state[c] = c < kColumns / 2 ? state[2 * c] + state[2 * c + 1] : 0;
    }
  }
}

void TimelinePicture::add(unsigned unit, unsigned state, Cycle from, Cycle to) {
  from -= window().first;
  to -= window().first;
  while (to > width_ * kColumns) widen();
  auto& columns = lanes_[unit][state];
  for (Cycle at = from; at < to;) {
    const Cycle column = at / width_;
    const Cycle end = std::min(to, (column + 1) * width_);
    columns[column] += end - at;
    at = end;
  }
}

std::string TimelinePicture::text(const Run& run) const {
  const Cycle first = window().first;
  const Cycle last = std::max(first + 1, std::min(run.cycles, window().last));
  const double pixels = kPicture / static_cast<double>(last - first);   // of a cycle
  const auto x_of = [&](Cycle cycle) { return kLeft + static_cast<double>(cycle - first) * pixels; };

  // Stalls of one name have one colour in all lanes; those that cost most get the clearest.
  std::map<std::string, Cycle> cost;
  std::vector<std::vector<Cycle>> sums;
  for (std::size_t unit = 0; unit < lanes_.size(); ++unit) {
    sums.emplace_back();
    for (std::size_t state = 0; state < lanes_[unit].size(); ++state) {
      Cycle sum = 0;
      for (const Cycle cycles : lanes_[unit][state]) sum += cycles;
      sums.back().push_back(sum);
      if (lanes()[unit].states[state].kind == StateKind::kStall && sum != 0) cost[lanes()[unit].states[state].name] += sum;
    }
  }
  std::vector<std::pair<Cycle, std::string>> order;
  for (const auto& [name, cycles] : cost) order.emplace_back(cycles, name);
  std::sort(order.rbegin(), order.rend());
  std::map<std::string, const char*> colours;
  for (std::size_t i = 0; i < order.size(); ++i) colours[order[i].second] = i < std::size(kStalls) ? kStalls[i] : kOtherStall;
  const auto colour_of = [&](const StateInfo& state) { return state.kind == StateKind::kBusy ? kBusy : colours[state.name]; };

  const double bottom = kTop + static_cast<double>(lanes_.size()) * (kLane + kGap);
  const std::size_t legend = 1 + std::min(order.size(), std::size(kStalls) + 1);
  const double height = bottom + 40 + kLegendLine * static_cast<double>((legend + 3) / 4) + 10;
  std::string svg = fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {:.0f} {:.0f}" font-family="sans-serif" font-size="12">)" "\n"
                                R"(<rect width="100%" height="100%" fill="white"/>)" "\n"
                                R"(<text x="{:.0f}" y="22" font-size="15">{}</text>)" "\n",
                                kLeft + kPicture + kRight, height, kLeft, escaped(run.title));

  // ---- regions and time
  svg += fmt::format(R"(<text x="{:.0f}" y="50" text-anchor="end">region</text>)" "\n", kLeft - 8);
  Cycle at = 0;
  for (std::size_t i = 0; i < run.regions.size(); ++i) {
    const Cycle from = std::max(at, first), to = std::min(at + run.regions[i].cycles, last);
    at += run.regions[i].cycles;
    if (from >= to) continue;
    const double width = static_cast<double>(to - from) * pixels;
    const std::string name = escaped(run.regions[i].name);
    svg += rectangle(x_of(from), 34, width, 24, kRegions[i % 2]) + fmt::format("><title>{}: cycles {} to {}, {}</title></rect>\n", name, grouped(from), grouped(to), grouped(to - from));
    std::string brief = name;   // as much of its end as there is room for
    while (static_cast<double>(brief.size()) * kLetter > width && brief.find('/') != std::string::npos) brief.erase(0, brief.find('/') + 1);
    if (static_cast<double>(brief.size()) * kLetter <= width) svg += fmt::format(R"(<text x="{:.1f}" y="50" pointer-events="none">{}</text>)" "\n", x_of(from) + 3, brief);
  }
  const Cycle step = tick_step(last - first);
  for (Cycle tick = (first + step - 1) / step * step; tick <= last; tick += step) {
    svg += fmt::format(R"(<path d="M{0:.1f} 62V{1:.1f}" stroke="#dddddd"/><text x="{0:.1f}" y="76" text-anchor="middle" fill="#555555">{2}</text>)" "\n", x_of(tick), bottom, grouped(tick));
  }

  // ---- lanes: in each column busy cycles below, stalls above them
  for (std::size_t unit = 0; unit < lanes_.size(); ++unit) {
    const double top = kTop + static_cast<double>(unit) * (kLane + kGap);
    svg += fmt::format(R"(<text x="{:.0f}" y="{:.1f}" text-anchor="end">{}</text>)" "\n", kLeft - 8, top + kLane / 2 + 4, escaped(lanes()[unit].name));
    svg += rectangle(kLeft, top, kPicture, kLane, "#f4f4f4") + "/>\n";
    const std::vector<StateInfo>& states = lanes()[unit].states;
    std::vector<std::size_t> stack;
    for (const StateKind kind : {StateKind::kBusy, StateKind::kStall}) {
      for (std::size_t state = 0; state < states.size(); ++state) {
        if (states[state].kind == kind && sums[unit][state] != 0) stack.push_back(state);
      }
    }
    // In columns and steps of a lane's height, both from its lower left corner.
    const std::string place = fmt::format("translate({:.0f} {:.1f}) scale({:.5g} {:.5g})", kLeft, top + kLane, pixels * static_cast<double>(width_), -kLane / kSteps);
    std::array<Cycle, kColumns> below{};   // cycles of the column already drawn
    for (const std::size_t state : stack) {
      std::string path;
      long low = 0, high = 0;
      std::size_t begin = 0;
      const auto close = [&](const std::string& end) {
        if (high > low) path += fmt::format("M{} {}V{}H{}V{}Z", begin, low, high, end, low);
      };
      std::size_t c = 0;
      for (; c < kColumns && first + c * width_ < last; ++c) {
        const Cycle cycles = std::min(width_, last - first - c * width_);
        const auto level = [&](Cycle part) { return std::lround(kSteps * static_cast<double>(part) / static_cast<double>(cycles)); };
        const long next_low = level(below[c]), next_high = level(below[c] + lanes_[unit][state][c]);
        below[c] += lanes_[unit][state][c];
        if (next_low == low && next_high == high) continue;
        close(std::to_string(c));
        begin = c;
        low = next_low;
        high = next_high;
      }
      close(fmt::format("{:.4g}", static_cast<double>(last - first) / static_cast<double>(width_)));
      svg += fmt::format(R"(<path transform="{}" fill="{}" d="{}"><title>{}: {} in {} cycles, {:.1f} %: {}</title></path>)" "\n", place, colour_of(states[state]), path,
                         escaped(lanes()[unit].name), states[state].name, grouped(sums[unit][state]),
                         100 * static_cast<double>(sums[unit][state]) / static_cast<double>(last - first), escaped(states[state].text));
    }
  }

  // ---- legend
  std::size_t place = 0;
  const auto entry = [&](const char* fill, const std::string& name) {
    const double x = kLeft + kPicture / 4 * static_cast<double>(place % 4), y = bottom + 30 + kLegendLine * static_cast<double>(place / 4);
    svg += rectangle(x, y - 10, 12, 12, fill) + fmt::format("/><text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x + 18, y, name);
    ++place;
  };
  entry(kBusy, "busy");
  for (std::size_t i = 0; i < std::min(order.size(), std::size(kStalls)); ++i) entry(kStalls[i], "stall: " + order[i].second);
  if (order.size() > std::size(kStalls)) entry(kOtherStall, "other stalls");
  return svg + fmt::format(R"(<text x="{:.0f}" y="{:.1f}" text-anchor="end" fill="#555555">cycles; a column is {} of them</text>)" "\n</svg>\n", kLeft + kPicture, height - 8, grouped(width_));
}

}  // namespace systole::report
