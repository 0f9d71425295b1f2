// Every parameter of the SoC's memory system acts, in the direction that its meaning says.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>

#include "traffic.h"

namespace systole::test {
namespace {

using hw::MachineParams;
constexpr hw::TlOpcodeA kGet = hw::TlOpcodeA::kGet, kPut = hw::TlOpcodeA::kPutFull;

Cycle cycles(const MachineParams& params, const PortMaster& master) {
  Cycle end = 0;
  run_tasks(
      1, 1, [&](std::size_t) { return std::to_string(end_of(run_port(params, {}, master, {}))); },
      [&](std::size_t, TaskResult result) { end = std::stoull(text_or_throw(result)); });
  return end;
}

PortMaster repeated(const PortMaster& once, unsigned times) {
  PortMaster master = once;
  for (unsigned i = 1; i < times; ++i) {
    for (PortRequest request : once.requests) {
      request.source = static_cast<std::uint16_t>(master.requests.size());
      master.requests.push_back(request);
    }
  }
  return master;
}

// Two Gets of one bank of DRAM: another row, the second `gap` cycles later.
PortMaster rows(unsigned stride, unsigned count, unsigned gap) {
  PortMaster master;
  for (unsigned i = 0; i < count; ++i) master.requests.push_back({10 + Cycle{i} * gap, kGet, kPortBase + std::uint64_t{i} * stride, 64, static_cast<std::uint16_t>(i)});
  return master;
}

// Eight banks of DDR4, two of each group.
PortMaster activations() {
  PortMaster master;
  for (unsigned i = 0; i < 8; ++i) master.requests.push_back({10, kGet, kPortBase + (i % 4) * 64 + std::uint64_t{i / 4} * 128 * 64 * 4, 64, static_cast<std::uint16_t>(i)});
  return master;
}

// Dirty victims, so that DRAM sees writes among reads.
PortMaster dirty_reads(unsigned stride) { return rows(stride, 200, 0); }

struct Case {
  const char* key;
  std::function<void(MachineParams&)> base;     // of both machines
  std::function<void(MachineParams&)> slower;
  PortMaster master;
};

TEST(SocParameters, EachActsInItsDirection) {
  const auto none = [](MachineParams&) {};
  const auto dram = [](hw::DramKind kind, bool dirty = false) {
    return [=](MachineParams& m) {
      m.soc.dram = kind;
      m.soc.l2_state = dirty ? hw::L2State::kDirty : hw::L2State::kInvalid;
    };
  };
  const auto ddr3 = dram(hw::DramKind::kDdr3_1600), ddr4 = dram(hw::DramKind::kDdr4_2400), ddr4_dirty = dram(hw::DramKind::kDdr4_2400, true);
  const auto small_dirty = [&](MachineParams& m) {
    ddr4_dirty(m);
    m.soc.l2_kib = 16;
  };
  constexpr unsigned kRow = 128 * 16 * 64 * 4;   // bytes after which a bank of DDR4 comes again, with another row (DDR3: too)
  const PortMaster hits = repeated(stream(kGet, 64, 64, 64), 4);
  const Case cases[] = {
      {"soc.bus_latency", none, [](auto& m) { m.soc.bus_latency = 3; }, stream(kGet, 64, 64, 8)},
      {"soc.l2_kib", none, [](auto& m) { m.soc.l2_kib = 2; }, hits},
      {"soc.l2_ways", [](auto& m) { m.soc.l2_kib = 16; }, [](auto& m) { m.soc.l2_ways = 1; }, repeated(stream(kGet, 64, 16384, 2), 32)},
      {"soc.l2_banks", [](auto& m) { m.soc.l2_banks = 2; }, [](auto& m) { m.soc.l2_banks = 1; }, repeated(stream(kPut, 16, 64, 128), 2)},
      {"soc.l2_mshrs", none, [](auto& m) { m.soc.l2_mshrs = 2; }, stream(kGet, 64, 64, 64)},
      {"soc.l2_queued_requests", none, [](auto& m) { m.soc.l2_queued_requests = 1; }, stream(kGet, 16, 16, 128)},
      {"soc.l2_put_beats", none, [](auto& m) { m.soc.l2_put_beats = 8; }, stream(kPut, 64, 64, 64)},
      {"soc.l2_grants", none, [](auto& m) { m.soc.l2_grants = 1; }, stream(kPut, 64, 64, 128)},
      {"soc.axi_bytes", [](auto& m) { m.soc.axi_bytes = 16; }, [](auto& m) { m.soc.axi_bytes = 8; }, stream(kGet, 64, 64, 64)},
      {"dma.bus_bytes", [](auto& m) { m.dma.bus_bytes = 32; }, [](auto& m) { m.dma.bus_bytes = 16; }, hits},
      {"soc.axi_latency", none, [](auto& m) { m.soc.axi_latency = 31; }, stream(kGet, 64, 64, 1)},
      {"soc.axi_write_latency", [](auto& m) { m.soc.l2_state = hw::L2State::kDirty; }, [](auto& m) { m.soc.axi_write_latency = 200; }, stream(kPut, 64, 64, 64)},
      {"soc.l2_state", [](auto& m) { m.soc.l2_state = hw::L2State::kInvalid; }, [](auto& m) { m.soc.l2_state = hw::L2State::kClean; }, stream(kGet, 64, 64, 64)},
      {"soc.dram", dram(hw::DramKind::kDdr4_2400), dram(hw::DramKind::kLpddr4_3200), rows(kRow, 16, 0)},
      {"soc.dram_page", ddr4, [](auto& m) { m.soc.dram_page = hw::PagePolicy::kClosed; }, rows(64, 16, 300)},
      {"soc.dram_page closed", [&](auto& m) { ddr4(m); m.soc.dram_page = hw::PagePolicy::kClosed; }, [](auto& m) { m.soc.dram_page = hw::PagePolicy::kOpen; }, rows(kRow, 16, 300)},
      {"soc.dram_read_queue", ddr4, [](auto& m) { m.soc.dram_read_queue = 1; }, rows(kRow / 16, 64, 0)},
      {"soc.dram_write_queue", ddr4_dirty, [](auto& m) { m.soc.dram_write_queue = 4; }, dirty_reads(kRow / 8 + 64)},
      {"soc.dram_controller_latency", ddr4, [](auto& m) { m.soc.dram_controller_latency = 11; }, stream(kGet, 64, 64, 1)},
      {"soc.clock_mhz", ddr4, [](auto& m) { m.soc.clock_mhz = 2000; }, stream(kGet, 64, 64, 1)},
      {"soc.llc_kib", [](auto& m) { m.soc.llc_kib = 256; m.soc.l2_kib = 2; m.soc.axi_latency = 200; }, [](auto& m) { m.soc.llc_kib = 0; }, repeated(stream(kGet, 64, 64, 64), 4)},
      {"soc.llc_ways", [](auto& m) { m.soc.llc_kib = 16; m.soc.l2_kib = 1; }, [](auto& m) { m.soc.llc_ways = 1; }, repeated(stream(kGet, 64, 16384, 16), 8)},
      {"soc.llc_latency", [](auto& m) { m.soc.llc_kib = 256; }, [](auto& m) { m.soc.llc_latency = 21; }, stream(kGet, 64, 64, 1)},
      {"soc.llc_misses", [](auto& m) { m.soc.llc_kib = 256; }, [](auto& m) { m.soc.llc_misses = 1; }, stream(kGet, 64, 64, 32)},
      {"dram_timing.cl", ddr4, [](auto& m) { m.dram_timing.cl = 22; }, stream(kGet, 64, 64, 1)},
      {"dram_timing.rcd", ddr4, [](auto& m) { m.dram_timing.rcd = 22; }, stream(kGet, 64, 64, 1)},
      {"dram_timing.rp", ddr4, [](auto& m) { m.dram_timing.rp = 30; }, rows(kRow, 2, 200)},
      {"dram_timing.ras", ddr4, [](auto& m) { m.dram_timing.ras = 100; }, rows(kRow, 2, 0)},
      {"dram_timing.rtp", ddr4, [](auto& m) { m.dram_timing.rtp = 60; }, rows(kRow, 2, 0)},
      {"dram_timing.rrd_s", ddr4, [](auto& m) { m.dram_timing.rrd_s = m.dram_timing.rrd_l = 24; }, rows(64, 4, 0)},
      {"dram_timing.rrd_l", ddr4, [](auto& m) { m.dram_timing.rrd_l = 40; }, rows(128 * 64 * 4, 2, 0)},
      {"dram_timing.faw", ddr4, [](auto& m) { m.dram_timing.faw = 120; }, activations()},
      {"dram_timing.ccd_s", ddr4, [](auto& m) { m.dram_timing.ccd_s = m.dram_timing.ccd_l = 20; }, rows(64, 32, 0)},
      {"dram_timing.ccd_l", ddr4, [](auto& m) { m.dram_timing.ccd_l = 20; }, rows(256, 32, 0)},
      {"dram_timing.wtr_s", ddr4_dirty, [](auto& m) { m.dram_timing.wtr_s = m.dram_timing.wtr_l = 60; }, dirty_reads(64)},
      {"dram_timing.wtr_l", ddr4_dirty, [](auto& m) { m.dram_timing.wtr_l = 60; }, dirty_reads(256)},
      {"dram_timing.wr", small_dirty, [](auto& m) { m.dram_timing.wr = 190; }, random_traffic(1, 5000)},
      {"dram_timing.cwl", small_dirty, [](auto& m) { m.dram_timing.cwl = 21; }, random_traffic(1, 5000)},
      {"dram_timing.rfc", [&](auto& m) { ddr3(m); m.dram_timing.refi = 1000; }, [](auto& m) { m.dram_timing.rfc = 600; }, rows(64, 400, 0)},
      {"dram_timing.refi", ddr3, [](auto& m) { m.dram_timing.refi = 400; }, rows(64, 200, 0)},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.key);
    MachineParams fast = soc_machine();
    fast.soc.axi_latency = 30;
    c.base(fast);
    MachineParams slow = fast;
    c.slower(slow);
    ASSERT_TRUE(hw::broken_rules(fast).empty()) << hw::broken_rules(fast)[0];
    ASSERT_TRUE(hw::broken_rules(slow).empty()) << hw::broken_rules(slow)[0];
    EXPECT_LT(cycles(fast, c.master), cycles(slow, c.master));
  }
}

// One more cycle of latency is one more cycle of a single read.
TEST(SocParameters, LatenciesAddUp) {
  const PortMaster one = stream(kGet, 64, 64, 1);
  MachineParams m = soc_machine();
  const Cycle base = cycles(m, one);
  m.soc.axi_latency += 17;
  EXPECT_EQ(cycles(m, one), base + 17);
  m.soc.bus_latency = 2;
  EXPECT_EQ(cycles(m, one), base + 17 + 4);
  m.soc.llc_kib = 64;
  m.soc.llc_latency = 9;
  EXPECT_EQ(cycles(m, one), base + 17 + 4 + 9 + 1);
}

TEST(SocParameters, ImpossibleShapesAreNamed) {
  const auto broken = [](const std::function<void(MachineParams&)>& change) {
    MachineParams m = soc_machine();
    change(m);
    const std::vector<std::string> rules = hw::broken_rules(m);
    return rules.size() == 1 ? rules[0] : fmt::format("{} rules", rules.size());
  };
  const auto names = [](const std::string& rule, std::initializer_list<const char*> keys) {
    return std::all_of(keys.begin(), keys.end(), [&](const char* key) { return rule.find(key) != std::string::npos; });
  };
  EXPECT_PRED2(names, broken([](auto& m) { m.soc.l2_kib = 1; m.soc.l2_ways = 16; }), (std::initializer_list<const char*>{"soc.l2_ways = 16", "soc.l2_kib = 1"}));
  EXPECT_PRED2(names, broken([](auto& m) { m.soc.l2_kib = 4; m.soc.l2_ways = 8; m.soc.l2_banks = 8; }), (std::initializer_list<const char*>{"soc.l2_banks = 8"}));
  EXPECT_PRED2(names, broken([](auto& m) { m.dma.max_bytes = 128; }), (std::initializer_list<const char*>{"dma.max_bytes"}));
  const auto ddr4 = [](MachineParams& m) { m.soc.dram = hw::DramKind::kDdr4_2400; };
  EXPECT_PRED2(names, broken([&](auto& m) { ddr4(m); m.dram_timing.ras = 10; }), (std::initializer_list<const char*>{"dram_timing.ras = 10", "dram_timing.rcd = 16"}));
  EXPECT_PRED2(names, broken([&](auto& m) { ddr4(m); m.dram_timing.rrd_s = 7; }), (std::initializer_list<const char*>{"dram_timing.rrd_l = 6", "dram_timing.rrd_s = 7"}));
  EXPECT_PRED2(names, broken([&](auto& m) { ddr4(m); m.dram_timing.ccd_s = 2; }), (std::initializer_list<const char*>{"dram_timing.ccd_s = 2", "burst"}));
  EXPECT_PRED2(names, broken([&](auto& m) { ddr4(m); m.dram_timing.faw = 2; }), (std::initializer_list<const char*>{"dram_timing.faw = 2"}));
  EXPECT_PRED2(names, broken([&](auto& m) { ddr4(m); m.dram_timing.cwl = 40; }), (std::initializer_list<const char*>{"dram_timing.cwl = 40"}));
  EXPECT_PRED2(names, broken([&](auto& m) { ddr4(m); m.dram_timing.refi = 400; }), (std::initializer_list<const char*>{"dram_timing.refi = 400"}));
  EXPECT_PRED2(names, broken([&](auto& m) { ddr4(m); m.dram_timing.wtr_s = 20; }), (std::initializer_list<const char*>{"dram_timing.wtr_l = 9"}));
  EXPECT_EQ(broken([](auto& m) { m.dram_timing.ras = 10; }), "0 rules");   // no DRAM: it does not matter
}

// Nothing is evaluated while nothing is under way.
TEST(SocParameters, SleepsWhileNothingIsInFlight) {
  const auto wakeups = [](Cycle gap) {
    std::uint64_t count = 0;
    run_tasks(
        1, 1,
        [&](std::size_t) {
          PortMaster master = stream(kGet, 64, 64, 2);
          master.requests[1].at += gap;
          return std::to_string(run_port(soc_machine(), {}, master, {}).wakeups);
        },
        [&](std::size_t, TaskResult result) { count = std::stoull(text_or_throw(result)); });
    return count;
  };
  EXPECT_EQ(wakeups(200), wakeups(100'000));
}

}  // namespace
}  // namespace systole::test
