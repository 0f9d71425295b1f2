// Bytes go through the lines of the L2 and of the last-level cache: what is read is what flat memory would hold, and flat memory holds it
// when the run is over. Small caches, so that lines are changed, evicted and fetched again many times.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "traffic.h"

namespace systole::test {
namespace {

struct Caches {
  int l2_kib, l2_ways, l2_banks, l2_mshrs, bus, axi, llc_kib;
  hw::DramKind dram;
};

std::string run(const Caches& caches, unsigned seed, BenchMode mode) {
  hw::MachineParams params = soc_machine();
  params.soc.l2_kib = caches.l2_kib;
  params.soc.l2_ways = caches.l2_ways;
  params.soc.l2_banks = caches.l2_banks;
  params.soc.l2_mshrs = caches.l2_mshrs;
  params.dma.bus_bytes = caches.bus;
  params.soc.axi_bytes = caches.axi;
  params.soc.llc_kib = caches.llc_kib;
  params.soc.llc_ways = 4;
  params.soc.dram = caches.dram;
  const unsigned lines = 16u << seed % 3 * 3;   // 16, 128, 1024
  PortMaster master = random_traffic(seed, lines, 1500);
  master.value_bytes = std::uint64_t{lines} * 64;
  const PortRun result = run_port(params, {}, master, mode);
  if (!result.value_error.empty()) return result.value_error;
  if (result.requests.size() != master.requests.size()) return "requests are not accepted";
  for (const PortTimes& times : result.requests) {
    if (!times.answered) return "a request is not answered";
  }
  return fmt::format("ok {} {} {}", end_of(result), result.l2.victims_dirty, result.llc.victims_dirty);
}

TEST(SocValues, RandomTrafficReadsWhatFlatMemoryHolds) {
  const Caches all[] = {{1, 2, 1, 10, 16, 8, 0, hw::DramKind::kFixed},   {1, 8, 1, 10, 16, 8, 0, hw::DramKind::kFixed},
                        {2, 1, 2, 4, 16, 16, 0, hw::DramKind::kFixed},   {4, 4, 4, 10, 32, 8, 0, hw::DramKind::kDdr4_2400},
                        {1, 2, 1, 10, 8, 8, 16, hw::DramKind::kFixed},   {2, 2, 2, 10, 16, 32, 16, hw::DramKind::kDdr3_1600},
                        {512, 8, 1, 10, 16, 8, 16, hw::DramKind::kFixed}};
  for (const Caches& caches : all) {
    bool evicts = false, llc_evicts = false;
    for (unsigned seed = 1; seed <= 6; ++seed) {
      SCOPED_TRACE(fmt::format("L2 {} KiB, {} ways, {} banks, bus {}, last-level cache {} KiB, seed {}", caches.l2_kib, caches.l2_ways, caches.l2_banks, caches.bus,
                               caches.llc_kib, seed));
      std::vector<std::string> texts;
      if (seed == 3) {
        texts = in_every_mode([&](BenchMode mode) { return run(caches, seed, mode); });
      } else {
        run_tasks(1, 1, [&](std::size_t) { return run(caches, seed, {}); }, [&](std::size_t, TaskResult result) { texts = {text_or_throw(result)}; });
      }
      for (const std::string& text : texts) EXPECT_EQ(text, texts[0]);
      ASSERT_EQ(texts[0].substr(0, 3), "ok ") << texts[0];
      evicts = evicts || texts[0].find(" 0 ") == std::string::npos;
      llc_evicts = llc_evicts || texts[0].substr(texts[0].size() - 2) != " 0";
    }
    if (caches.l2_kib < 512) {
      EXPECT_TRUE(evicts);
      EXPECT_EQ(llc_evicts, caches.llc_kib != 0);
    }
  }
}

}  // namespace
}  // namespace systole::test
