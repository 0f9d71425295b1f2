#pragma once
#include <cstdint>

#include "hw/params/visit.h"

namespace systole::hw {

enum class MemoryModel { kIdeal, kSoc };
enum class L2State { kInvalid, kClean, kDirty, kResident };
enum class DramKind { kFixed, kDdr3_1600, kDdr4_2400, kLpddr4_3200 };
enum class PagePolicy { kOpen, kClosed };

// What stands behind the DMA port.
struct MemoryParams {
  MemoryModel model = MemoryModel::kIdeal;
  int latency = 20;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.choice(self.model, "model", Choices{"ideal", "soc"}, "ideal: fixed latency, one beat a cycle; soc: system bus, L2 and DRAM", "Systole");
    v(self.latency, "latency", range(1, 100000), "ideal: cycles from the last beat of a request to the first beat of its answer", "Systole");
  }
};

// Lines of the L2 that are present before the first command: all 64-byte lines that overlap the range, in one way of their sets.
struct ResidentRange {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  bool dirty = false;
  int way = 0;
};

// Times of the DRAM part that differ from its table, in clocks of the part; 0: the part's.
struct DramTimingParams {
  int cl = 0, cwl = 0, rcd = 0, rp = 0, ras = 0, rrd_s = 0, rrd_l = 0, faw = 0, ccd_s = 0, ccd_l = 0, wtr_s = 0, wtr_l = 0, wr = 0, rtp = 0, rfc = 0, refi = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v(self.cl, "cl", range(0, 200), "from a read command to its data (clocks of the DRAM part; 0: as in the part's table, here and below)", "JEDEC");
    v(self.cwl, "cwl", range(0, 200), "from a write command to its data", "JEDEC");
    v(self.rcd, "rcd", range(0, 200), "from an activation to the first access", "JEDEC");
    v(self.rp, "rp", range(0, 200), "from a precharge to an activation", "JEDEC");
    v(self.ras, "ras", range(0, 1000), "from an activation to a precharge", "JEDEC");
    v(self.rrd_s, "rrd_s", range(0, 200), "between activations in different bank groups", "JEDEC");
    v(self.rrd_l, "rrd_l", range(0, 200), "between activations in a bank group", "JEDEC");
    v(self.faw, "faw", range(0, 1000), "window that holds at most four activations", "JEDEC");
    v(self.ccd_s, "ccd_s", range(0, 200), "between reads, or writes, in different bank groups", "JEDEC");
    v(self.ccd_l, "ccd_l", range(0, 200), "between reads, or writes, in a bank group", "JEDEC");
    v(self.wtr_s, "wtr_s", range(0, 200), "from the end of written data to a read in another bank group", "JEDEC");
    v(self.wtr_l, "wtr_l", range(0, 200), "from the end of written data to a read in the bank group", "JEDEC");
    v(self.wr, "wr", range(0, 200), "from the end of written data to a precharge", "JEDEC");
    v(self.rtp, "rtp", range(0, 200), "from a read to a precharge", "JEDEC");
    v(self.rfc, "rfc", range(0, 5000), "a refresh of all banks", "JEDEC");
    v(self.refi, "refi", range(0, 100000), "between refreshes", "JEDEC");
  }
};

// The system on chip around the accelerator: bus, inclusive L2, AXI memory. The defaults are those of Chipyard's SoC with one memory
// channel, one L2 bank and one clock; the bus is as wide as the DMA port.
struct SocParams {
  int bus_latency = 0;
  int l2_kib = 512;
  int l2_ways = 8;
  int l2_banks = 1;
  int l2_mshrs = 10;
  int l2_queued_requests = 28;
  int l2_put_beats = 40;
  int l2_grants = 8;
  int axi_bytes = 8;
  DramKind dram = DramKind::kFixed;
  PagePolicy dram_page = PagePolicy::kOpen;
  int dram_read_queue = 16;
  int dram_write_queue = 16;
  int dram_controller_latency = 10;
  int llc_kib = 0;
  int llc_ways = 16;
  int llc_latency = 20;
  int llc_misses = 16;
  int clock_mhz = 1000;
  int axi_latency = 30;
  int axi_write_latency = 10;
  L2State l2_state = L2State::kClean;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v(self.bus_latency, "bus_latency", range(0, 8), "further register stages on the way between the tile and the L2, in each direction", "rocket-chip TLBuffer");
    v(self.l2_kib, "l2_kib", power_of_two(1, 65536), "capacity of the L2, lines of 64 bytes", "Chipyard WithInclusiveCache");
    v(self.l2_ways, "l2_ways", power_of_two(1, 64), "ways of the L2", "Chipyard WithInclusiveCache");
    v(self.l2_banks, "l2_banks", power_of_two(1, 8), "banks that share the L2's capacity, each with MSHRs, buffers and a data pipeline of its own; lines take turns", "Chipyard BankedL2Params");
    v(self.l2_mshrs, "l2_mshrs", range(1, 64), "requests to different sets in service at once", "block-inclusivecache Parameters.scala");
    v(self.l2_queued_requests, "l2_queued_requests", range(1, 1024), "requests that can wait behind one for their set", "block-inclusivecache Parameters.scala");
    v(self.l2_put_beats, "l2_put_beats", range(8, 1024), "beats of the buffer for written data", "block-inclusivecache Parameters.scala");
    v(self.l2_grants, "l2_grants", range(1, 64), "lines received from memory and not yet acknowledged", "rocket-chip TLCacheCork");
    v(self.axi_bytes, "axi_bytes", power_of_two(8, 64), "width of the AXI port behind the L2", "Chipyard ExtMem");
    v.choice(self.dram, "dram", Choices{"fixed", "ddr3_1600", "ddr4_2400", "lpddr4_3200"}, "memory behind AXI: fixed latency, or banks, rows and refresh of one channel", "JEDEC");
    v.choice(self.dram_page, "dram_page", Choices{"open", "closed"}, "DRAM rows stay open, or are closed with the last access that waits for them", "Systole");
    v(self.dram_read_queue, "dram_read_queue", range(1, 256), "lines that the DRAM controller can have to read", "Systole");
    v(self.dram_write_queue, "dram_write_queue", range(4, 256), "lines that the DRAM controller can have to write", "Systole");
    v(self.dram_controller_latency, "dram_controller_latency", range(1, 1000), "cycles of a line through controller and physical layer", "Systole");
    v(self.llc_kib, "llc_kib", power_of_two_or_zero(16, 262144), "last-level cache between the L2 and memory, write-back, LRU; 0: none", "Systole");
    v(self.llc_ways, "llc_ways", power_of_two(1, 64), "ways of the last-level cache", "Systole");
    v(self.llc_latency, "llc_latency", range(1, 10000), "last-level cache: cycles from a read address to the first beat of a hit, and to the request of a miss behind it", "Systole");
    v(self.llc_misses, "llc_misses", range(1, 64), "lines that the last-level cache can be fetching at once", "Systole");
    v(self.clock_mhz, "clock_mhz", range(1, 5000), "clock of the SoC, in which all other cycles count; DRAM has its own", "Systole");
    v(self.axi_latency, "axi_latency", range(1, 100000), "dram = fixed: cycles from an AXI read address to its first data beat", "Systole");
    v(self.axi_write_latency, "axi_write_latency", range(1, 100000), "cycles from the last AXI write beat to its answer", "Systole");
    v.choice(self.l2_state, "l2_state", Choices{"inv", "clean", "dirty", "resident"}, "lines that fill the L2 before the first command; resident: the program's own memory, as much as there is room for, among clean lines", "Systole");
  }
};

}  // namespace systole::hw
