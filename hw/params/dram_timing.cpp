#include "hw/params/dram_timing.h"

#include <fmt/format.h>

#include "sim/base/errors.h"

namespace systole::hw {

DramTiming dram_timing(DramKind kind) {
  switch (kind) {
    case DramKind::kFixed: break;
#define SYSTOLE_DRAM(name, ...) \
  case DramKind::name: return DramTiming{__VA_ARGS__};
#include "hw/params/dram_timing.def"
#undef SYSTOLE_DRAM
  }
  SYSTOLE_CHECK(false);
}

DramTiming dram_timing(DramKind kind, const DramTimingParams& replaced) {
  DramTiming t = dram_timing(kind);
  const auto replace = [](DramClock& time, int value) {
    if (value != 0) time = value;
  };
  replace(t.cl, replaced.cl);
  replace(t.cwl, replaced.cwl);
  replace(t.rcd, replaced.rcd);
  replace(t.rp, replaced.rp);
  replace(t.ras, replaced.ras);
  replace(t.rrd_s, replaced.rrd_s);
  replace(t.rrd_l, replaced.rrd_l);
  replace(t.faw, replaced.faw);
  replace(t.ccd_s, replaced.ccd_s);
  replace(t.ccd_l, replaced.ccd_l);
  replace(t.wtr_s, replaced.wtr_s);
  replace(t.wtr_l, replaced.wtr_l);
  replace(t.wr, replaced.wr);
  replace(t.rtp, replaced.rtp);
  replace(t.rfc, replaced.rfc);
  replace(t.refi, replaced.refi);
  return t;
}

std::vector<std::string> contradictions(const DramTiming& t) {
  std::vector<std::string> rules;
  // `larger` must not be below `smaller`.
  const auto order = [&](const char* larger, DramClock a, const char* smaller, DramClock b, const char* why) {
    if (a < b) rules.push_back(fmt::format("dram_timing.{} = {} is below {} = {}: {}", larger, a, smaller, b, why));
  };
  order("ras", t.ras, "dram_timing.rcd", t.rcd, "a row would be closed before its first access");
  order("rrd_l", t.rrd_l, "dram_timing.rrd_s", t.rrd_s, "inside a bank group the gap cannot be shorter");
  order("ccd_l", t.ccd_l, "dram_timing.ccd_s", t.ccd_s, "inside a bank group the gap cannot be shorter");
  order("wtr_l", t.wtr_l, "dram_timing.wtr_s", t.wtr_s, "inside a bank group the gap cannot be shorter");
  order("ccd_s", t.ccd_s, "the burst", t.burst, "lines would overlap on the data bus");
  order("faw", t.faw, "dram_timing.rrd_s", t.rrd_s, "four activations cannot be closer together than two");
  order("cl", t.cl + t.burst + 1, "dram_timing.cwl", t.cwl, "a write's data would come before those of the read in front of it");
  order("refi", t.refi, "rfc + ras + rp", t.rfc + t.ras + t.rp + 1, "no time is left between refreshes");
  return rules;
}

}  // namespace systole::hw
