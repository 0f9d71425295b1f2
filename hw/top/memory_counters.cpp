#include "hw/top/memory_counters.h"

#include "hw/memory/soc/soc_memory.h"

namespace systole::hw {

std::vector<Counter> memory_counters(const SocMemory& memory) {
  std::vector<Counter> counters;
  const L2Counts l2 = memory.counts();
  const auto count = [&](const char* name, std::uint64_t value, const char* text) { counters.push_back({name, value, text}); };
  count("memory.l2.hits", l2.hits, "requests whose line was in the L2 or on its way");
  count("memory.l2.misses", l2.misses, "requests whose line was not");
  count("memory.l2.allocations", l2.allocations, "misses that were not fetched because the whole line was written");
  count("memory.l2.victims_clean", l2.victims_clean, "lines given up unchanged");
  count("memory.l2.victims_dirty", l2.victims_dirty, "lines written back");
  const ReadWaits& waits = memory.read_waits();
  count("memory.read_wait.reads", waits.reads, "reads of the accelerator");
  count("memory.read_wait.total", waits.total, "cycles from a read's request to the first beat of its answer, all reads; the sum of the following");
  count("memory.read_wait.mshr_full", waits.mshr_full, "no MSHR of the L2 is free, or its queues are full");
  count("memory.read_wait.same_set", waits.same_set, "behind another request to the set, or for a line on its way");
  count("memory.read_wait.row_miss", waits.row_miss, "DRAM opens a row");
  count("memory.read_wait.refresh", waits.refresh, "DRAM refreshes");
  count("memory.read_wait.llc", waits.llc, "lookup and data of the last-level cache");
  count("memory.read_wait.probe", waits.probe, "the CPU's L1 gives up the line");
  count("memory.read_wait.miss", waits.miss, "the rest of fetching a line");
  count("memory.read_wait.hit", waits.hit, "lookup, data banks and way back of a line that is there");
  count("memory.read_wait.bus", waits.bus, "behind other answers in the L2's data pipeline and on the bus");
  if (const HostAccessCounts host = memory.host_counts(); host.hits + host.misses != 0) {
    count("memory.cpu.hits", host.hits, "lines of host operations that are in the CPU's L1");
    count("memory.cpu.misses", host.misses, "lines that the CPU's L1 fetches from the L2");
    count("memory.cpu.write_backs", host.write_backs, "lines that the CPU's L1 writes back to the L2");
    count("memory.cpu.wait", host.wait, "cycles in which the CPU waits for lines");
    count("memory.cpu.probes", host.probes, "lines that the L2 asks the CPU's L1 for");
    count("memory.cpu.probes_dirty", host.probes_dirty, "of them changed by the CPU");
  }
  if (const LlcCounts* llc = memory.llc_counts()) {
    count("memory.llc.reads", llc->reads, "lines that the L2 reads");
    count("memory.llc.read_hits", llc->read_hits, "of them in the last-level cache");
    count("memory.llc.writes", llc->writes, "lines that the L2 writes back");
    count("memory.llc.write_hits", llc->write_hits, "of them in the last-level cache");
    count("memory.llc.victims_clean", llc->victims_clean, "lines given up unchanged");
    count("memory.llc.victims_dirty", llc->victims_dirty, "lines written to memory");
  }
  if (const DramCounts* dram = memory.dram_counts()) {
    count("memory.dram.reads", dram->reads, "lines read");
    count("memory.dram.writes", dram->writes, "lines written");
    count("memory.dram.forwarded", dram->forwarded, "reads answered from the queue of writes");
    count("memory.dram.row_hits", dram->row_hits, "accesses whose row was open");
    count("memory.dram.row_misses", dram->row_misses, "accesses to a closed bank");
    count("memory.dram.row_conflicts", dram->row_conflicts, "accesses for which another row was closed");
    count("memory.dram.refreshes", dram->refreshes, "refreshes of all banks");
  }
  return counters;
}

}  // namespace systole::hw
