// --timeline: what is drawn is what the accounts add up.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <regex>

#include "tests/cli/command_line.h"

namespace systole::test {
namespace {

using Json = nlohmann::json;

// "unit: state" -> cycles, of all states but idle.
using Cycles = std::map<std::string, std::uint64_t>;

Cycles accounts_of(const Json& json) {
  Cycles cycles;
  for (const auto& [name, unit] : json.at("units").items()) {
    if (unit.at("busy") != 0) cycles[name + ": busy"] = unit.at("busy");
    for (const auto& [stall, count] : unit.at("stall").items()) {
      if (count != 0) cycles[name + ": " + stall] = count;
    }
  }
  return cycles;
}

class TimelineOption : public testing::Test {
 protected:
  // The run's JSON; the timeline is in path(file).
  Json simulate(const std::string& file, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"run", directory_.write("g.yaml", kGraph), "--json", "-", "--timeline", directory_.path(file)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.error;
    return Json::parse(outcome.out);
  }
  [[nodiscard]] std::string text(const std::string& file) const { return read(directory_.path(file)); }

  TemporaryDirectory directory_;
};

// Periods of a trace; those of a track must not overlap.
Cycles periods_of(const Json& trace, std::uint64_t first = 0, std::uint64_t last = ~std::uint64_t{0}) {
  std::map<int, std::string> tracks;
  std::map<int, std::uint64_t> ends;
  Cycles cycles;
  for (const Json& event : trace.at("traceEvents")) {
    const int track = event.value("tid", -1);
    if (event.at("ph") == "M") {
      if (event.at("name") == "thread_name") tracks[track] = event.at("args").at("name");
      continue;
    }
    const std::uint64_t from = event.at("ts"), to = from + event.at("dur").get<std::uint64_t>();
    EXPECT_LT(from, to);
    EXPECT_GE(from, std::max(first, ends[track])) << event;
    EXPECT_LE(to, last) << event;
    ends[track] = to;
    cycles[tracks[track] + ": " + event.at("name").get<std::string>()] += to - from;
  }
  return cycles;
}

TEST_F(TimelineOption, periods_of_a_trace_add_up_to_the_accounts) {
  const Json json = simulate("t.json");
  Cycles expected = accounts_of(json);
  for (const Json& region : json.at("regions")) expected["region: " + region.at("name").get<std::string>()] += region.at("cycles").get<std::uint64_t>();
  EXPECT_EQ(periods_of(Json::parse(text("t.json"))), expected);
  EXPECT_GT(expected.size(), 20u);
}

TEST_F(TimelineOption, areas_of_a_picture_are_the_accounts) {
  const Cycles expected = accounts_of(simulate("t.svg"));
  const std::string svg = text("t.svg");
  const std::regex title(R"(<title>([a-z_0-9]+: [a-z_0-9]+) in ([0-9,]+) cycles)");
  Cycles drawn;
  for (auto match = std::sregex_iterator(svg.begin(), svg.end(), title); match != std::sregex_iterator(); ++match) {
    std::string number = (*match)[2];
    number.erase(std::remove(number.begin(), number.end(), ','), number.end());
    drawn[(*match)[1]] = std::stoull(number);
  }
  EXPECT_EQ(drawn, expected);
  EXPECT_EQ(svg.substr(svg.size() - 7), "</svg>\n");
}

TEST_F(TimelineOption, is_the_same_whoever_calls_the_units) {
  for (const char* file : {"t.json", "t.svg"}) {
    (void)simulate(file);
    const std::string expected = text(file);
    (void)simulate(file, {"--scheduler", "native"});
    EXPECT_TRUE(text(file) == expected) << file;
    (void)simulate(file, {"--granularity", "row"});
    EXPECT_TRUE(text(file) == expected) << file;
    (void)simulate(file, {"--timing-only"});
    EXPECT_TRUE(text(file) == expected) << file;
  }
}

TEST_F(TimelineOption, window_cuts_periods_at_its_ends) {
  const Json whole = (void(simulate("w.json")), Json::parse(text("w.json")));
  const auto share = [&](std::uint64_t first, std::uint64_t last) {
    (void)simulate("p.json", {"--timeline-window", fmt::format("{}:{}", first, last)});
    return periods_of(Json::parse(text("p.json")), first, last);
  };
  Cycles sum = share(0, 1000);
  for (const auto& [name, cycles] : share(1000, 1'000'000'000)) sum[name] += cycles;
  EXPECT_EQ(sum, periods_of(whole));
}

TEST_F(TimelineOption, shows_a_stream) {
  const std::string trace = directory_.write("s.trace", "# systole-trace 1\nmem latency=20 beat_bytes=16\ncmd 0 10 1\nfence\n");
  const Outcome outcome = run({"replay", trace, "--no-expect", "--timeline", directory_.path("s.json")});
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  const Json timeline = Json::parse(text("s.json"));
  const Cycles periods = periods_of(timeline);
  EXPECT_EQ(periods.count("reservation_station: busy"), 1u);
  EXPECT_EQ(outcome.out.find("s: " + timeline.at("otherData").at("cycles").dump() + " cycles"), 0u) << outcome.out;
}

TEST_F(TimelineOption, bad_ones_are_refused) {
  const auto error = [&](const std::vector<std::string>& options) {
    std::vector<std::string> arguments = {"run", "bert-base"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2);
    return outcome.error;
  };
  const std::string file = directory_.path("t.json");
  EXPECT_NE(error({"--timeline", directory_.path("t.txt")}).find("(.svg) or a trace for Perfetto (.json)"), std::string::npos);
  EXPECT_NE(error({"--timeline", "/absent/t.svg"}).find("/absent/t.svg: cannot create"), std::string::npos);
  EXPECT_NE(error({"--timeline", "-"}).find("a timeline is a picture"), std::string::npos);
  EXPECT_NE(error({"--timeline-window", "0:10"}).find("--timeline FILE is missing"), std::string::npos);
  EXPECT_NE(error({"--timeline", file, "--timeline-window", "10:10"}).find("the window is empty"), std::string::npos);
  for (const char* window : {"10", "a:b", "1:2:3", ":5", "5:", "-1:5"}) {
    EXPECT_NE(error({"--timeline", file, "--timeline-window", window}).find("expected FIRST:LAST"), std::string::npos) << window;
  }
  EXPECT_NE(error({"--timeline", file, "--tiler", "compare"}).find("--tiler compare makes two"), std::string::npos);
  EXPECT_EQ(run({"replay", SYSTOLE_SOURCE "/tests/data/rtl/13_soc", "--timeline", file}).code, 2);
}

}  // namespace
}  // namespace systole::test
