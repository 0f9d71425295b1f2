// Other caches, buses and memories than the recorded ones: every request is answered, in every mode alike.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "traffic.h"

namespace systole::test {
namespace {

struct Shape {
  int kib = 512, ways = 8, mshrs = 10, bus = 16, axi = 8;
  hw::DramKind dram = hw::DramKind::kFixed;
  hw::PagePolicy page = hw::PagePolicy::kOpen;
  int queued = 28, grants = 8, banks = 1, llc_kib = 0, bus_latency = 0;
};

hw::MachineParams params_of(const Shape& shape) {
  hw::MachineParams params = soc_machine();
  params.dma.bus_bytes = shape.bus;
  params.soc.l2_kib = shape.kib;
  params.soc.l2_ways = shape.ways;
  params.soc.l2_mshrs = shape.mshrs;
  params.soc.axi_bytes = shape.axi;
  params.soc.dram = shape.dram;
  params.soc.dram_page = shape.page;
  params.soc.l2_queued_requests = shape.queued;
  params.soc.l2_grants = shape.grants;
  params.soc.l2_banks = shape.banks;
  params.soc.llc_kib = shape.llc_kib;
  params.soc.bus_latency = shape.bus_latency;
  params.soc.l2_state = hw::L2State::kDirty;
  return params;
}

// Throws when a request is not answered.
std::string run_shape(const Shape& shape, unsigned seed, unsigned lines, BenchMode mode) {
  const PortMaster master = random_traffic(seed, lines);
  const PortRun run = run_port(params_of(shape), {}, master, mode);
  std::uint64_t sum = 0, waited = 0;
  Cycle last = 0;
  for (std::size_t i = 0; i < run.requests.size(); ++i) {
    const PortTimes& t = run.requests[i];
    if (!t.answered) return fmt::format("request {} is not answered", i);
    if (t.d_first < t.a_first + 5) return fmt::format("request {} is answered after {} cycles", i, t.d_first - t.a_first);
    sum = sum * 31 + t.d_last;
    if (master.requests[i].opcode == hw::TlOpcodeA::kGet) waited += t.d_first - t.a_first;
    last = std::max(last, t.d_last);
  }
  if (run.requests.size() != master.requests.size()) return "requests are not accepted";
  if (run.reads.size() != run.l2.misses - run.l2.allocations) return "reads of memory and misses differ";
  if (run.writes.size() != run.l2.victims_dirty) return "writes to memory and dirty victims differ";
  const hw::ReadWaits& w = run.waits;
  if (w.total != waited) return "waits of reads are lost";
  if (w.mshr_full + w.same_set + w.row_miss + w.refresh + w.llc + w.probe + w.miss + w.hit + w.bus != w.total) return "waits of reads do not add up";
  if (shape.dram == hw::DramKind::kFixed && w.row_miss + w.refresh != 0) return "waits for a DRAM that is not there";
  if (shape.llc_kib == 0 && w.llc != 0) return "waits for a last-level cache that is not there";
  if (shape.llc_kib != 0 && (w.llc == 0 || run.llc.reads != run.reads.size() || run.llc.writes != run.writes.size())) return "the last-level cache is passed by";
  return fmt::format("ok {} {} {} {}", last, sum, run.l2.misses, run.l2.victims_dirty);
}

TEST(SocShapes, EveryShapeServesRandomTraffic) {
  const Shape shapes[] = {{},
                          {16, 1, 10, 16, 8},
                          {1, 8, 10, 16, 8},
                          {64, 4, 1, 16, 8},
                          {64, 16, 4, 16, 16},
                          {128, 2, 32, 8, 8},
                          {512, 8, 10, 32, 8},
                          {512, 8, 10, 32, 32},
                          {256, 8, 10, 16, 64},
                          {512, 8, 10, 16, 8, hw::DramKind::kDdr3_1600},
                          {64, 8, 10, 16, 16, hw::DramKind::kDdr4_2400},
                          {64, 8, 10, 16, 16, hw::DramKind::kDdr4_2400, hw::PagePolicy::kClosed},
                          {64, 8, 24, 32, 16, hw::DramKind::kLpddr4_3200},
                          {16, 2, 3, 16, 8, hw::DramKind::kDdr3_1600, hw::PagePolicy::kClosed, 1, 1},
                          {64, 4, 4, 16, 8, hw::DramKind::kFixed, hw::PagePolicy::kOpen, 28, 8, 2},
                          {128, 8, 10, 32, 16, hw::DramKind::kFixed, hw::PagePolicy::kOpen, 28, 8, 4, 0, 2},
                          {512, 8, 10, 16, 8, hw::DramKind::kDdr4_2400, hw::PagePolicy::kOpen, 28, 8, 8},
                          {16, 4, 10, 16, 8, hw::DramKind::kFixed, hw::PagePolicy::kOpen, 28, 8, 1, 64},
                          {16, 4, 10, 16, 8, hw::DramKind::kDdr3_1600, hw::PagePolicy::kClosed, 28, 8, 2, 128, 1}};
  for (const Shape& shape : shapes) {
    for (const unsigned lines : {40u, 5000u}) {
      const unsigned seed = lines + static_cast<unsigned>(shape.kib);
      SCOPED_TRACE(fmt::format("{} KiB, {} ways, {} banks, {} MSHRs, bus {}, AXI {}, DRAM {}, last-level cache {} KiB, seed {}", shape.kib, shape.ways, shape.banks,
                               shape.mshrs, shape.bus, shape.axi, static_cast<int>(shape.dram), shape.llc_kib, seed));
      const std::vector<std::string> texts = in_every_mode([&](BenchMode mode) { return run_shape(shape, seed, lines, mode); });
      EXPECT_EQ(texts[0].substr(0, 3), "ok ") << texts[0];
      for (const std::string& text : texts) EXPECT_EQ(text, texts[0]);
    }
  }
}

}  // namespace
}  // namespace systole::test
