#pragma once
// Goes through the rounds of a LOOP_WS at once while nothing but its operations is under way. A round is a step of k: the same operations into
// the same rows of the accumulator, with operands further on in the scratchpad. When the whole state of the machine at the beginning of two
// rounds differs in the addresses of operands alone, then the next round does what the last one did, and so do those after it, as long as
// - no operand comes into another bank: but for its bank, time does not depend on where in the scratchpad an operand lies, and results go
//   into the accumulator, so that no operand can be one;
// - the round is not one of the last two: in the last one rows may be short, and stores begin.
// So time jumps by that many rounds, counts grow by as often what they grew in one, and the addresses go on by as many steps.
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "hw/frontend/loop_ws_stages.h"
#include "hw/host/issuing_host.h"
#include "sim/base/residual.h"
#include "sim/kernel/scheduler.h"

namespace systole::hw {

class SteadyLoop {
 public:
  struct Hooks {
    std::function<void(Residual&)> visit;
    std::function<LoopWsExecute::Banks()> banks;
  };
  SteadyLoop(Scheduler& scheduler, const IssuingHost& host, const LoopWsExecute& execution, Cycle max_cycles, Hooks hooks)
      : scheduler_(scheduler), host_(host), execution_(execution), max_cycles_(max_cycles), hooks_(std::move(hooks)) {}

  // Whether at() is to be called, with the first preload of a round just sent.
  [[nodiscard]] bool wants() const;
  // Between two cycles.
  void at(Cycle now);

  [[nodiscard]] std::uint64_t rounds_passed() const { return rounds_passed_; }

 private:
  // The beginning of a round.
  struct Round {
    std::uint32_t number = 0;
    std::size_t next_item = 0;   // of the host
    Residual state;
    Wheel::Pending wakes;
  };
  // How many rounds can be gone through at once; 0 when the two rounds differ.
  [[nodiscard]] std::uint32_t rounds_alike(const Round& before, const Round& now) const;
  void pass(Cycle now, const Round& before, const Round& round, std::uint32_t rounds);

  Scheduler& scheduler_;
  const IssuingHost& host_;
  const LoopWsExecute& execution_;
  const Cycle max_cycles_;
  Hooks hooks_;
  std::uint32_t loop_ = ~std::uint32_t{0};   // the last one that was looked at
  unsigned tries_ = 0;                       // in this loop
  std::optional<Round> last_;
  std::uint64_t rounds_passed_ = 0;
};

}  // namespace systole::hw
