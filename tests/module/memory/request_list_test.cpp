// Requests of a master at the memory port, with the cycles that RTL of a Chipyard SoC gives (tests/data/soc).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <sstream>

#include "port_bench.h"
#include "sim/base/file.h"

namespace systole::test {
namespace {

struct Row {
  Cycle a = 0, a_last = 0;
  int opcode = 0;
  unsigned bytes = 0;
  std::uint64_t address = 0;
  unsigned source = 0;
  Cycle d_first = 0, d_last = 0;
  std::string outcome;
};

std::vector<Row> read_rows(const std::string& path) {
  std::istringstream in(read_file(path));
  std::string line;
  std::getline(in, line);
  std::vector<Row> rows;
  while (std::getline(in, line)) {
    for (char& c : line) c = c == ',' ? ' ' : c;
    std::istringstream fields(line);
    Row r;
    fields >> r.a >> r.a_last >> r.opcode >> r.bytes >> std::hex >> r.address >> std::dec >> r.source >> r.d_first >> r.d_last >> r.outcome;
    if (!fields) throw std::runtime_error(path + ": " + line);
    rows.push_back(r);
  }
  return rows;
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// The set-up is in the file's name: state of the cache, latency.
hw::MachineParams machine_of(const std::string& name) {
  hw::MachineParams params;
  params.memory.model = hw::MemoryModel::kSoc;
  params.soc.axi_latency = contains(name, "100") ? 100 : contains(name, "60.") || contains(name, "60_") ? 60 : 30;
  params.soc.l2_state = contains(name, "dirty") ? hw::L2State::kDirty : contains(name, "inv") ? hw::L2State::kInvalid : hw::L2State::kClean;
  return params;
}

// Lines that are there without having been fetched.
std::vector<hw::ResidentRange> resident_of(const std::vector<Row>& rows, bool written_dirty) {
  std::map<std::uint64_t, bool> lines;   // dirty
  std::map<std::uint64_t, bool> absent;
  for (const Row& r : rows) {
    const std::uint64_t line = r.address / 64 * 64;
    if (r.outcome != "hit" && lines.count(line) == 0) absent[line] = true;
    if (absent.count(line) == 0) lines[line] = lines[line] || (written_dirty && r.opcode != 4);
  }
  std::map<std::uint64_t, int> used;   // ways of a set
  std::vector<hw::ResidentRange> ranges;
  for (const auto& [line, dirty] : lines) ranges.push_back({line, 64, dirty, used[line / 64 % 1024]++});
  return ranges;
}

// The lists of programs call a request that waits for a line on its way "miss2" only when it came before the line's read address was on
// AXI, else "hit"; the lists of streams always "miss2".
const char* name_of(const PortRun& run, const PortRequest& request, const PortTimes& times, bool of_program) {
  if (of_program && times.outcome == hw::L2Outcome::kMissPending) {
    const auto later = [&](const auto& read) { return read.second == request.address / 64 * 64 && read.first > times.a_first; };
    return std::any_of(run.reads.begin(), run.reads.end(), later) ? "miss2" : "hit";
  }
  switch (times.outcome) {
    case hw::L2Outcome::kHit: return "hit";
    case hw::L2Outcome::kMiss: return "miss";
    case hw::L2Outcome::kMissPending: return "miss2";
    case hw::L2Outcome::kAllocated: return "alloc";
  }
  return "";
}

// "" or the first difference. `eager`: the master does not look at the recorded cycles; up to 16 reads and 16 writes are outstanding.
std::string compare(const std::string& path, BenchMode mode, bool eager) {
  const std::vector<Row> rows = read_rows(path);
  const std::string name = std::filesystem::path(path).filename().string();
  PortMaster master;
  constexpr Cycle kStart = 10;
  for (const Row& r : rows) {
    master.requests.push_back({eager ? kStart + rows.front().a : kStart + r.a, static_cast<hw::TlOpcodeA>(r.opcode), r.address, r.bytes,
                               static_cast<std::uint16_t>(r.source)});
  }
  const PortRun run = run_port(machine_of(name), resident_of(rows, !contains(name, "mvout16x16_")), master, mode);
  if (run.requests.size() != rows.size()) return fmt::format("{}: {} of {} requests accepted", name, run.requests.size(), rows.size());
  std::size_t different = 0;
  std::string first;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& r = rows[i];
    const PortTimes& t = run.requests[i];
    const std::string expected = fmt::format("A {}..{} D {}..{} {}", r.a, r.a_last, r.d_first, r.d_last, r.outcome);
    const std::string actual = fmt::format("A {}..{} D {}..{} {}", t.a_first - kStart, t.a_last - kStart, t.d_first - kStart, t.d_last - kStart, name_of(run, master.requests[i], t, !contains(name, "stream_")));
    if (expected != actual && different++ == 0) first = fmt::format("request {}: {}, expected {}", i, actual, expected);
  }
  return different == 0 ? "" : fmt::format("{}: {} of {} differ, first {}", name, different, rows.size(), first);
}

std::vector<std::string> lists() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(SYSTOLE_TEST_DATA "/soc")) {
    if (contains(entry.path().string(), ".csv")) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string differences(BenchMode mode, bool eager, const std::vector<std::string>& paths) {
  std::string text;
  run_tasks(
      paths.size(), 2, [&](std::size_t i) { return compare(paths[i], mode, eager); },
      [&](std::size_t, TaskResult result) {
        const std::string difference = text_or_throw(result);
        if (!difference.empty()) text += difference + "\n";
      });
  return text;
}

TEST(RequestLists, EveryColumnEqualsTheRtl) {
  ASSERT_EQ(lists().size(), 82u);
  EXPECT_EQ(differences({}, false, lists()), "");
}

TEST(RequestLists, NativeSchedulerGivesTheSame) { EXPECT_EQ(differences({SchedulerMode::kNative, true}, false, lists()), ""); }

TEST(RequestLists, EveryCycleGivesTheSame) { EXPECT_EQ(differences({SchedulerMode::kEveryCycle, false}, false, lists()), ""); }

// How long the RTL refuses a beat is part of these: the master offers it as early as its limits allow.
TEST(RequestLists, StreamsOfAnEagerMaster) {
  std::vector<std::string> paths;
  for (const std::string& path : lists()) {
    if (contains(path, "/stream_")) paths.push_back(path);
  }
  EXPECT_EQ(differences({}, true, paths), "");
}

}  // namespace
}  // namespace systole::test
