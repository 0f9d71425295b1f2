#pragma once
// The timing of the DRAM behind the SoC's memory port: a part's, with single times replaced.
#include <cstdint>
#include <string>
#include <vector>

#include "hw/params/memory.h"

namespace systole::hw {

using DramClock = std::int64_t;

struct DramTiming {
  DramClock tck_ps;
  unsigned banks, groups, row_lines;
  DramClock burst, cl, cwl, rcd, rp, ras, rrd_s, rrd_l, faw, ccd_s, ccd_l, wtr_s, wtr_l, wr, rtp, rfc, refi;
  const char* source;

  [[nodiscard]] DramClock rc() const { return ras + rp; }
  // From a read to a write: the data bus turns round, with two clocks between the bursts (JESD79-3F, 4.13.2.4).
  [[nodiscard]] DramClock rtw() const { return cl + burst + 2 - cwl; }
};

// A part's table. Not for DramKind::kFixed.
[[nodiscard]] DramTiming dram_timing(DramKind kind);
// With what the parameters replace.
[[nodiscard]] DramTiming dram_timing(DramKind kind, const DramTimingParams& replaced);

// Times that contradict one another, each as a sentence that names the keys.
[[nodiscard]] std::vector<std::string> contradictions(const DramTiming& timing);

}  // namespace systole::hw
