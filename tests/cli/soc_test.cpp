// The SoC's memory system as users meet it: what a run tells, and what mistakes are called.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/command_line.h"

namespace systole::test {
namespace {

const std::vector<std::string> kRun = {"run", "bert-base", "--seq", "16", "--layers", "1", "--set", "memory.model=soc"};

std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

void expect_refused(const std::vector<std::string>& sets, std::initializer_list<const char*> parts) {
  std::vector<std::string> arguments = kRun;
  for (const std::string& set : sets) arguments = with(arguments, {"--set", set});
  const Outcome outcome = run(arguments);
  EXPECT_EQ(outcome.code, 2) << outcome.error;
  for (const char* part : parts) EXPECT_NE(outcome.error.find(part), std::string::npos) << part << " in: " << outcome.error;
}

TEST(SocRun, ImpossibleShapesAreRefused) {
  expect_refused({"soc.l2_kib=1", "soc.l2_ways=64"}, {"soc.l2_ways = 64", "soc.l2_kib = 1"});
  expect_refused({"soc.l2_kib=4", "soc.l2_banks=8", "soc.l2_ways=16"}, {"soc.l2_banks = 8"});
  expect_refused({"soc.l2_kib=100"}, {"soc.l2_kib = 100", "power of two"});
  expect_refused({"soc.l2_mshrs=0"}, {"soc.l2_mshrs = 0"});
  expect_refused({"soc.llc_kib=16", "soc.llc_ways=3"}, {"soc.llc_ways = 3"});
  expect_refused({"dma.max_bytes=128"}, {"dma.max_bytes = 128"});
  expect_refused({"soc.dram=ddr5"}, {"ddr5", "ddr4_2400"});
}

TEST(SocRun, TimingsThatContradictEachOtherAreRefused) {
  expect_refused({"soc.dram=ddr4_2400", "dram_timing.ras=10"}, {"dram_timing.ras = 10", "dram_timing.rcd = 16"});
  expect_refused({"soc.dram=ddr3_1600", "dram_timing.refi=200"}, {"dram_timing.refi = 200"});
  expect_refused({"soc.dram=ddr4_2400", "dram_timing.ccd_s=3"}, {"dram_timing.ccd_s = 3", "burst"});
  expect_refused({"soc.dram=lpddr4_3200", "dram_timing.wtr_s=40"}, {"dram_timing.wtr_l = 16", "dram_timing.wtr_s = 40"});
}

// A mvin behind the end of memory; a way that the cache does not have.
TEST(SocReplay, MistakesOfATraceAreNamed) {
  const TemporaryDirectory directory;
  const std::string head = "# systole-trace 1\nmachine sfu.normaliser=0 memory.model=soc soc.axi_latency=30 soc.axi_write_latency=10 soc.l2_state=clean\n";
  const std::string outside = directory.write("outside.trace", head + "cmd 0 3f80000000100101 40\ncmd 2 10000 10001000000000\nfence\n");
  Outcome outcome = run({"replay", outside, "--no-expect"});
  EXPECT_EQ(outcome.code, 3) << outcome.error;
  for (const char* part : {"0x10000", "outside memory", "cycle", "mvin"}) EXPECT_NE(outcome.error.find(part), std::string::npos) << part << " in: " << outcome.error;
  const std::string way = directory.write("way.trace", head + "resident 80100000 64 clean 9\ncmd 0 3f80000000100101 40\nfence\n");
  outcome = run({"replay", way, "--no-expect"});
  EXPECT_EQ(outcome.code, 2) << outcome.error;
  for (const char* part : {"0x80100000", "way 9", "8 ways"}) EXPECT_NE(outcome.error.find(part), std::string::npos) << part << " in: " << outcome.error;
}

// The values are right, and the waits of reads add up, on every memory behind the L2.
TEST(SocRun, TellsWhatReadsWaitFor) {
  struct Memory {
    std::vector<std::string> sets;
    std::vector<std::string> waits;   // parts that cannot be 0
  };
  const Memory memories[] = {{{}, {"miss", "hit", "bus"}},
                             {{"soc.dram=ddr4_2400"}, {"row_miss", "refresh"}},
                             {{"soc.dram=lpddr4_3200", "soc.llc_kib=1024", "soc.l2_kib=16", "soc.l2_banks=2"}, {"llc", "row_miss"}}};
  const TemporaryDirectory directory;
  for (const Memory& memory : memories) {
    std::vector<std::string> arguments = with(kRun, {"--json", directory.path("run.json")});
    for (const std::string& set : memory.sets) arguments = with(arguments, {"--set", set});
    const Outcome outcome = run(arguments);
    ASSERT_EQ(outcome.code, 0) << outcome.error << outcome.out;
    EXPECT_NE(outcome.out.find("equal to the integer reference"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("a read waits for"), std::string::npos) << outcome.out;
    const auto counters = nlohmann::json::parse(read(directory.path("run.json"))).at("counters");
    std::uint64_t sum = 0;
    for (const char* part : {"mshr_full", "same_set", "row_miss", "refresh", "llc", "probe", "miss", "hit", "bus"}) {
      sum += counters.at(std::string("memory.read_wait.") + part).get<std::uint64_t>();
    }
    EXPECT_EQ(sum, counters.at("memory.read_wait.total").get<std::uint64_t>());
    for (const std::string& part : memory.waits) EXPECT_GT(counters.at("memory.read_wait." + part).get<std::uint64_t>(), 0u) << part;
  }
}

// Operations of the CPU go through its L1 and the L2: their lines are fetched there, and probed when the accelerator wants them. Their values
// pass between flat memory and the caches' lines.
TEST(SocRun, TheHostSharesTheL2) {
  const TemporaryDirectory directory;
  std::uint64_t cycles[2] = {};
  for (const int latency : {30, 100}) {
    const Outcome outcome = run(with(kRun, {"--set", "sfu.normaliser=0", "--set", "soc.axi_latency=" + std::to_string(latency), "--json", directory.path("run.json")}));
    ASSERT_EQ(outcome.code, 0) << outcome.error << outcome.out;
    EXPECT_NE(outcome.out.find("equal to the integer reference"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("CPU: "), std::string::npos) << outcome.out;
    const auto json = nlohmann::json::parse(read(directory.path("run.json")));
    for (const char* counter : {"hits", "misses", "write_backs", "wait", "probes", "probes_dirty"}) {
      EXPECT_GT(json.at("counters").at(std::string("memory.cpu.") + counter).get<std::uint64_t>(), 0u) << counter;
    }
    EXPECT_GT(json.at("counters").at("memory.read_wait.probe").get<std::uint64_t>(), 0u);
    cycles[latency == 100] = json.at("cycles").get<std::uint64_t>();
  }
  EXPECT_LT(cycles[0], cycles[1]);
}

}  // namespace
}  // namespace systole::test
