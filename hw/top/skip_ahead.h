#pragma once
// Simulates each piece of work once. A piece reaches from one place to the next at which all that the machine has under way can be written
// down: behind a fence, and inside a long LOOP_WS, once what it loads has arrived and what the loop before it stores has left, so that only
// commands for the array are under way. What a piece costs is a function of the machine's state at its beginning (sim/base/residual.h) and of
// its commands as far as time depends on them (hw/top/work_reader.h): cycles never depend on values. So when both have been seen before, word
// by word, time jumps by what it cost then, all counts grow by what they grew then, and the state becomes what it became then. Layers of a
// model, heads of an attention, equal products, and equal loops of one product cost once.
#include <cstdint>
#include <functional>
#include <optional>
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
    std::function<void(Residual&)> visit;
    std::function<std::vector<std::vector<std::uint64_t>>(Cycle now)> totals;
    std::function<std::uint32_t()> loop;   // number of the LOOP_WS command whose operations are being sent to the array
  };
  // `regions` grows with the run. Everything must outlive this object.
  SkipAhead(WorkReader reader, const isa::Program& program, Scheduler& scheduler, IssuingHost& host, std::vector<RegionStart>& regions, Cycle max_cycles, Hooks hooks);

  // Whether at() is to be called inside this loop.
  [[nodiscard]] bool wants(std::uint32_t loop) const { return loop != loop_; }
  // Between two cycles, with the host held in front of its next item, or inside a loop. Returns the cycle that it is afterwards.
  Cycle at(Cycle now);

  [[nodiscard]] const SkipCounts& counts() const { return counts_; }

 private:
  static constexpr std::uint32_t kNoLoop = ~std::uint32_t{0};

  struct Region {
    Cycle begin = 0;
    std::vector<std::vector<std::uint64_t>> totals;   // since the piece's beginning
  };
  // A piece that has been simulated. `items` of the program describe it: from the first that is still at work at its beginning to the first
  // that was not accepted at its end.
  struct Piece {
    std::vector<std::uint64_t> key;
    std::size_t items = 0;
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
    std::size_t first = 0;          // item that is still at work
    std::size_t next = 0;           // of the host
    Cycle start = 0;
    Residual state{0};
    std::size_t accepts = 0, fences = 0, regions = 0;   // sizes of the logs when it began
    std::vector<std::vector<std::uint64_t>> totals;
  };

  [[nodiscard]] std::size_t first_item() const;
  void finish(Cycle now, const Residual& end);
  [[nodiscard]] bool repeat(Cycle& now, const Residual& state);
  void go_on(Cycle& now, const Residual& state, const Piece& piece, const Work& work);

  const isa::Program& program_;
  Scheduler& scheduler_;
  IssuingHost& host_;
  std::vector<RegionStart>& regions_;
  const Cycle max_cycles_;
  Hooks hooks_;
  WorkReader reader_;
  std::vector<std::size_t> commands_;   // items that are commands
  std::unordered_map<std::uint64_t, std::vector<Piece>> pieces_;   // by the state at their beginning
  Running running_;
  std::uint32_t loop_ = kNoLoop;        // inside which the running piece began
  std::size_t behind_fence_ = 0;        // item behind the last fence that was a piece's end
  SkipCounts counts_;
};

}  // namespace systole::hw
