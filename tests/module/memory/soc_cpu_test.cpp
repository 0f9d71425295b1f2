// The CPU beside the accelerator: its lines are probed, at the cost that was measured on the RTL of a Chipyard SoC (a CPU that had read and
// written lines, then idle, while the accelerator touched them one by one).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "traffic.h"

namespace systole::test {
namespace {

using hw::TlOpcodeA;
constexpr Cycle kLater = 20'000;   // the CPU is done by then
constexpr std::uint64_t kLines = kPortBase + 0x10000;

PortRun after_cpu(const std::vector<hw::HostAccess>& accesses, const std::vector<PortRequest>& requests, Cycle apart = 100) {
  PortMaster master;
  for (const hw::HostAccess& access : accesses) master.host.push_back({10, access});
  master.requests = requests;
  Cycle at = kLater;
  for (std::size_t i = 0; i < master.requests.size(); ++i) {
    master.requests[i].at = at;
    master.requests[i].source = static_cast<std::uint16_t>(i);
    at += apart;
  }
  return run_port(soc_machine(), {}, master, {});
}

// First beat of each answer, from the first beat of its request.
std::string latencies(const PortRun& run) {
  std::string text;
  for (const PortTimes& t : run.requests) text += (text.empty() ? "" : " ") + std::to_string(t.d_first - t.a_first);
  return text;
}

std::string in_process(const std::function<std::string()>& work) {
  std::string text;
  run_tasks(1, 1, [&](std::size_t) { return work(); }, [&](std::size_t, TaskResult result) { text = text_or_throw(result); });
  return text;
}

PortRequest get(std::uint64_t address, unsigned bytes = 64) { return {0, TlOpcodeA::kGet, address, bytes, 0}; }
PortRequest put(std::uint64_t address, unsigned bytes = 64) { return {0, TlOpcodeA::kPutFull, address, bytes, 0}; }

TEST(SocCpu, FirstTouchOfALineThatTheCpuWrote) {
  // Get at the start of the line, Get of 16 bytes behind it, Put of a line, Put of 16 bytes.
  const auto work = [] {
    return latencies(after_cpu({{kLines, 4 * 64, true}}, {get(kLines), get(kLines + 64 + 16, 16), put(kLines + 128), put(kLines + 192, 16)}));
  };
  EXPECT_EQ(in_process(work), "16 18 15 15");
}

TEST(SocCpu, FirstTouchOfALineThatTheCpuRead) {
  const auto work = [] {
    return latencies(after_cpu({{kLines, 5 * 64, false}}, {get(kLines), get(kLines + 64 + 16, 16), put(kLines + 128), put(kLines + 192, 16), get(kLines + 256, 32)}));
  };
  EXPECT_EQ(in_process(work), "12 12 12 12 12");
}

// A Get leaves a shared copy in the L1: the next Get needs no probe, a Put does; after a Put nothing is left.
TEST(SocCpu, LaterTouches) {
  const auto work = [] { return latencies(after_cpu({{kLines, 64, true}}, {get(kLines), get(kLines), put(kLines), put(kLines), get(kLines)})); };
  EXPECT_EQ(in_process(work), "16 6 12 6 6");
}

// A line that the L1 has written back is the L2's alone; one that the L1 has dropped without a word is probed all the same.
TEST(SocCpu, LinesThatTheL1GaveUp) {
  const auto work = [] {
    constexpr std::uint64_t kWayBytes = 64 * 64;   // lines of one set of the L1, each in a set of its own of the L2
    std::vector<hw::HostAccess> accesses;
    for (unsigned i = 0; i < 16; ++i) accesses.push_back({kLines + i * kWayBytes, 64, i < 8});
    std::vector<PortRequest> requests;
    for (unsigned i = 0; i < 16; ++i) requests.push_back(get(kLines + i * kWayBytes));
    const PortRun run = after_cpu(accesses, requests);
    unsigned written_back = 0, there = 0, dropped = 0;
    for (unsigned i = 0; i < 16; ++i) {
      const Cycle latency = run.requests[i].d_first - run.requests[i].a_first;
      written_back += i < 8 && latency == 6;
      there += i < 8 && latency == 16;
      dropped += i >= 8 && latency == 12;
    }
    return fmt::format("{} {} {} {}", written_back == run.host.write_backs, written_back + there, there <= 4, dropped);
  };
  EXPECT_EQ(in_process(work), "true 8 true 8");   // the L1's set has 4 ways
}

// Streams of lines: ten cycles a line that the L1 has changed, four a line that it has not.
TEST(SocCpu, StreamsOfLines) {
  const auto rate = [](bool written, bool puts) {
    return in_process([=] {
      std::vector<PortRequest> requests;
      for (unsigned i = 0; i < 64; ++i) requests.push_back(puts ? put(kLines + i * 64) : get(kLines + i * 64));
      const PortRun run = after_cpu({{kLines, 64 * 64, written}}, requests, 0);
      return fmt::format("{}", (end_of(run) - run.requests[31].d_last + 16) / 32);
    });
  };
  EXPECT_EQ(rate(true, false), "10");
  EXPECT_EQ(rate(true, true), "10");
  EXPECT_EQ(rate(false, false), "4");
  EXPECT_EQ(rate(false, true), "4");
}

// A victim that the CPU holds is asked for first: later than a victim of nobody by the probe, and written back with the L1's data.
TEST(SocCpu, VictimsAreProbed) {
  const auto work = [](bool write, const char* what) {
    return in_process([=] {
      PortMaster master;
      // A cache of two sets and two ways; the CPU's lines fill one set.
      hw::MachineParams params = soc_machine();
      params.soc.l2_kib = 1;
      params.soc.l2_ways = 8;
      params.soc.l2_state = hw::L2State::kInvalid;
      for (unsigned i = 0; i < 64; ++i) master.host.push_back({10, {kLines + i * 128, 64, write}});
      for (unsigned i = 0; i < 64; ++i) {
        master.requests.push_back({kLater + 200 * i, TlOpcodeA::kGet, kPortBase + i * 128, 64, static_cast<std::uint16_t>(i)});
      }
      const PortRun run = run_port(params, {}, master, {});
      return what[0] == 'w' ? fmt::format("{}", run.writes.size() != 0) : fmt::format("{}", run.host.probes != 0);
    });
  };
  EXPECT_EQ(work(true, "writes"), "true");
  EXPECT_EQ(work(false, "writes"), "false");
  EXPECT_EQ(work(true, "probes"), "true");
}

// Both masters at once, in every mode: everything is answered, and each operation of the CPU ends once.
TEST(SocCpu, SharesTheL2WithTheAccelerator) {
  for (const int banks : {1, 2, 4}) {
    for (unsigned seed = 1; seed <= 3; ++seed) {
      const std::vector<std::string> texts = in_every_mode([&](BenchMode mode) {
        hw::MachineParams params = soc_machine();
        params.soc.l2_kib = seed == 1 ? 512 : 16;
        params.soc.l2_banks = banks;
        PortMaster master = random_traffic(seed, 300, 1200);
        master.value_bytes = 300 * 64;
        std::mt19937_64 random(seed);
        for (unsigned i = 0; i < 60; ++i) {
          master.host.push_back({10 + i * 40, {kPortBase + random() % 290 * 64 + random() % 64, random() % 512 + 1, false, i % 3 == 2}});
        }
        const PortRun run = run_port(params, {}, master, mode);
        for (const PortTimes& t : run.requests) {
          if (!t.answered) return std::string("a request is not answered");
        }
        if (!run.value_error.empty()) return run.value_error;
        if (run.host_done.size() != 20) return fmt::format("{} operations are done", run.host_done.size());
        const hw::ReadWaits& w = run.waits;
        if (w.mshr_full + w.same_set + w.row_miss + w.refresh + w.llc + w.probe + w.miss + w.hit + w.bus != w.total) return std::string("waits do not add up");
        return fmt::format("ok {} {} {} {}", end_of(run), run.host_done.back(), run.host.misses, run.host.probes);
      });
      SCOPED_TRACE(fmt::format("{} banks, seed {}", banks, seed));
      EXPECT_EQ(texts[0].substr(0, 3), "ok ") << texts[0];
      for (const std::string& text : texts) EXPECT_EQ(text, texts[0]);
    }
  }
}

// A range that is in the L1 costs the CPU nothing; one that is in the L2 a round trip for each line.
TEST(SocCpu, HitsInTheL1AreFree) {
  const auto work = [] {
    PortMaster master;
    master.host = {{10, {kLines, 512, false}}, {2000, {kLines, 512, false}}, {4000, {kLines, 512, true}}};
    const PortRun run = run_port(soc_machine(), {}, master, {});
    return fmt::format("{} {} {} {}", run.host.misses, run.host.hits, run.host_done[1] - 2000, run.host_done[2] - 4000);
  };
  EXPECT_EQ(in_process(work), "8 24 2 2");
}

}  // namespace
}  // namespace systole::test
