#pragma once
#include <deque>
#include <utility>
#include <vector>

#include "hw/ports/command.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/priority_merge.h"
#include "sim/kernel/unit.h"
#include "tests/support/unit_bench.h"

namespace systole::test {

// Stands for a controller: takes issued commands and completes each `delay` cycles later, in order, offering until it is granted.
// Configurations of loads and stores complete nothing, as in the machine.
class ControllerStub final : public Unit {
 public:
  using Completions = PriorityMerge<hw::Completion, hw::kCompletionSources>;
  struct Record {
    Cycle cycle = 0;            // in which the reservation station issued it
    hw::IssuedCommand issued;
  };

  ControllerStub(const sc_core::sc_module_name& name, hw::CompletionSource source, Channel<hw::IssuedCommand>& in,
                 Completions& completions, Cycle delay, Stall stall = Stall::none());
  void evaluate(Cycle now) override;
  [[nodiscard]] const std::vector<Record>& records() const { return records_; }
  [[nodiscard]] const std::vector<Cycle>& granted() const { return granted_; }

 private:
  const hw::CompletionSource source_;
  Channel<hw::IssuedCommand>& in_;
  Completions& completions_;
  const Cycle delay_;
  Stall stall_;
  Cycle offered_ = kNever;
  std::deque<std::pair<Cycle, hw::Completion>> due_;
  std::vector<Record> records_;
  std::vector<Cycle> granted_;
};

}  // namespace systole::test
