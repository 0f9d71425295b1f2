#pragma once
// Simulates each piece of work once. A piece reaches from one fence that leaves the whole machine at rest to the next. What it costs is a
// function of the machine's registers at its beginning (sim/base/residual.h) and of its commands as far as time depends on them
// (hw/top/work_reader.h): cycles never depend on values. So when both have been seen before, word by word, time jumps by what it cost then,
// all counts grow by what they grew then, and the registers become what they became then. Layers of a model, heads of an attention and equal
// products cost once.
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "hw/host/issuing_host.h"
#include "hw/top/machine_result.h"
#include "hw/top/work_reader.h"
#include "sim/kernel/scheduler.h"

namespace systole::hw {

// A region's beginning, with the cycles of each state of each unit until then.
struct RegionStart {
  std::uint32_t region = 0;
  Cycle begin = 0;
  std::vector<std::vector<std::uint64_t>> totals;
};

class SkipAhead {
 public:
  struct Hooks {
    std::function<void(Residual&)> visit;      // all state but the host's
    std::function<std::vector<std::vector<std::uint64_t>>(Cycle now)> totals;
  };
  // `regions` grows with the run. Everything must outlive this object.
  SkipAhead(WorkReader reader, const isa::Program& program, Scheduler& scheduler, IssuingHost& host, std::vector<RegionStart>& regions, Cycle max_cycles, Hooks hooks);

  // Between two cycles, with the host held in front of its next item.
  void at_fence(Cycle now);

  [[nodiscard]] const SkipCounts& counts() const { return counts_; }

 private:
  struct Region {
    Cycle begin = 0;
    std::vector<std::vector<std::uint64_t>> totals;   // since the piece's beginning
  };
  // A piece that has been simulated. Or the beginning of one: at its last fence the machine was not at rest.
  struct Piece {
    std::vector<std::uint64_t> key;
    bool whole = false;
    bool repeatable = true;
    IssuingHost::Stretch stretch;
    std::vector<std::uint64_t> registers;
    std::vector<std::optional<Work::Name>> names;   // absent: stays what it is
    std::vector<std::uint64_t> counts;
    Wheel::Pending wakes;
    std::vector<Region> regions;
  };
  // The piece that is being simulated.
  struct Running {
    bool valid = false;
    std::size_t begin = 0;          // its first item
    std::vector<std::size_t> fences;   // items behind the fences so far
    Cycle start = 0;
    Residual state{0};
    std::size_t accepts = 0, fence_log = 0, regions = 0;   // sizes of the logs when it began
    std::vector<std::vector<std::uint64_t>> totals;
  };

  [[nodiscard]] std::size_t behind_fence(std::size_t item) const;   // 0: no further fence
  [[nodiscard]] Piece* find(const std::vector<std::uint64_t>& key);
  void keep(Piece piece);
  void finish(Cycle now, const Residual& end);
  [[nodiscard]] bool repeat(Cycle& now, const Residual& state);

  const isa::Program& program_;
  Scheduler& scheduler_;
  IssuingHost& host_;
  std::vector<RegionStart>& regions_;
  const Cycle max_cycles_;
  Hooks hooks_;
  WorkReader reader_;
  std::unordered_map<std::uint64_t, std::vector<Piece>> pieces_;
  Running running_;
  SkipCounts counts_;
};

}  // namespace systole::hw
