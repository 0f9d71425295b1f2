#pragma once
// The CPU's L1 data cache, as far as the L2 has to do with it: which lines it has, and how long it takes to answer a probe. Shape: Rocket's
// DCacheParams (64 sets, 4 ways, 64 bytes; random replacement). Probe times: measured on the RTL of a Chipyard SoC, an idle CPU.
#include <cstdint>
#include <vector>

#include "hw/memory/soc/geometry.h"
#include "sim/base/cycle.h"

namespace systole::hw::soc {

class CpuCache {
 public:
  static constexpr unsigned kSets = 64, kWays = 4;
  // From the schedule of a probe to the cycle in which the MSHR can act on the answer: without data; with data, its first beat.
  static constexpr Cycle kCleanAnswer = 6, kDirtyAnswer = 9;
  // Until the next probe is taken.
  static constexpr Cycle kCleanBusy = 4, kDirtyBusy = 10;

  struct Line {
    std::uint64_t address = kNone;
    bool exclusive = false;   // may be written
    bool dirty = false;
  };
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};

  [[nodiscard]] Line* find(std::uint64_t address) {
    const std::uint64_t line = address / kLineBytes * kLineBytes;
    for (unsigned way = 0; way < kWays; ++way) {
      Line& candidate = lines_[set_of(line) * kWays + way];
      if (candidate.address == line) return &candidate;
    }
    return nullptr;
  }
  // A place for a line that comes: an empty one, else a random one. Its owner is still there.
  [[nodiscard]] Line& victim(std::uint64_t address) {
    Line* const set = &lines_[set_of(address) * kWays];
    for (unsigned way = 0; way < kWays; ++way) {
      if (set[way].address == kNone) return set[way];
    }
    lfsr_ = static_cast<std::uint16_t>((lfsr_ << 1) | (((lfsr_ >> 15) ^ (lfsr_ >> 13) ^ (lfsr_ >> 12) ^ (lfsr_ >> 10)) & 1));
    return set[lfsr_ % kWays];
  }

  struct ProbeAnswer {
    bool present = false;     // the L1 keeps a copy
    bool dirty = false;       // the answer has data
  };
  // The line is given up, or shared from now on.
  ProbeAnswer probe(std::uint64_t address, bool give_up) {
    Line* const line = find(address);
    if (line == nullptr) return {};
    const ProbeAnswer answer{!give_up, line->dirty};
    line->dirty = line->exclusive = false;
    if (give_up) line->address = kNone;
    return answer;
  }

  // Probes wait for one another.
  [[nodiscard]] bool can_probe(Cycle now) const { return now >= next_probe_; }
  void probe_taken(Cycle now, bool dirty) { next_probe_ = now + (dirty ? kDirtyBusy : kCleanBusy); }

 private:
  [[nodiscard]] static unsigned set_of(std::uint64_t address) { return static_cast<unsigned>(address / kLineBytes) % kSets; }
  std::vector<Line> lines_ = std::vector<Line>(kSets * kWays);
  std::uint16_t lfsr_ = 1;
  Cycle next_probe_ = 0;
};

}  // namespace systole::hw::soc
