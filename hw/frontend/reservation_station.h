#pragma once
#include <array>
#include <vector>

#include "hw/frontend/entry_mask.h"
#include "hw/frontend/front_end_params.h"
#include "hw/frontend/issue_credits.h"
#include "hw/frontend/operand_range.h"
#include "hw/ports/command.h"
#include "sim/kernel/busy_line.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/priority_merge.h"
#include "sim/kernel/unit.h"
#include "sim/stats/ledger.h"

namespace systole::hw {

// Holds commands from allocation to completion and issues them to the three controllers: in order within a queue, and not before the
// commands of other queues that touch the same local rows have completed (ReservationStation.scala).
class ReservationStation final : public Unit {
 public:
  using Completions = PriorityMerge<Completion, kCompletionSources>;
  struct Outputs {
    Channel<IssuedCommand>& load;
    Channel<IssuedCommand>& execute;
    Channel<IssuedCommand>& store;
    Channel<IssueCredits>& loop_ws;
    Channel<IssueCredits>& loop_conv;
  };
  static constexpr unsigned kQueues = 3;   // load, execute, store: the order of isa::Queue

  ReservationStation(const sc_core::sc_module_name& name, const FrontEndParams& params, Channel<Command>& in,
                     Completions& completions, const Outputs& outputs);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override;
  // A command waits in the input queue, or an entry is in use; a preload that is alone and waits for its compute does not count.
  [[nodiscard]] BusyLine& busy() { return busy_; }
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }

  struct Counters {
    std::array<std::uint64_t, kQueues> issued{};
    std::uint64_t completed = 0;
    std::uint64_t flushes = 0;
    std::uint64_t counter_operations = 0;
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  enum class State : unsigned {
    kIdle,
    kBusy,
    kFullLoad,
    kFullExecute,
    kFullStore,
    kQueueFull,
    kWaitLoad,
    kWaitExecute,
    kWaitStore,
    kInFlight,
  };
  struct Entry {
    Command command;
    Operands operands;
    bool completes_on_issue = false;
    bool issued = false;
    Cycle allocated = 0;
    std::array<unsigned, kQueues> pending{};       // entries of each other queue that must complete first
    std::array<EntryMask, kQueues> dependents{};   // entries of each other queue that wait for this one

    [[nodiscard]] bool waits() const { return (pending[0] | pending[1] | pending[2]) != 0; }
  };
  // Entries of a queue are issued in the order of their allocation: `order` lists those that wait for it.
  struct Queue {
    std::vector<Entry> entries;
    EntryMask valid;
    unsigned used = 0;
    unsigned in_flight = 0;               // issued, not completed
    std::vector<std::uint8_t> order;      // ring
    unsigned order_head = 0;
    unsigned order_size = 0;
  };

  // Could a command be taken or issued in a cycle behind the running one, as things stand.
  [[nodiscard]] bool may_act(Cycle next) const;
  void residual_of_queue(Residual& r, Queue& queue);
  void complete(const Completion& completion);
  void release(unsigned queue, unsigned index);
  [[nodiscard]] bool issuable(unsigned queue, Cycle now) const;
  // True when the command at the input was taken, or has the counter unit to wait for.
  bool take_input(Cycle now);
  bool allocate(Cycle now, const Command& command);
  void find_dependences(unsigned queue, unsigned index);
  [[nodiscard]] bool must_wait(unsigned queue, const Operands& operands, unsigned other_queue, const Operands& other) const;
  void issue(unsigned queue, Cycle now);
  [[nodiscard]] bool counts_as_busy() const;
  [[nodiscard]] State state(Cycle now, bool active) const;

  const FrontEndParams params_;
  Channel<Command>& in_;
  Completions& completions_;
  std::array<Channel<IssuedCommand>*, kQueues> out_;
  Channel<IssueCredits>& loop_ws_;
  Channel<IssueCredits>& loop_conv_;
  OperandAnalyser analyser_;
  std::array<Queue, kQueues> queues_;
  bool solitary_preload_ = false;         // the last preload has no compute yet
  IssueCredits loop_ws_credits_;          // of this cycle
  IssueCredits loop_conv_credits_;
  Counters counters_;
  Cycle counter_answers_in_ = kNever;     // cycle in which the counter unit answers
  BusyLine busy_;
  Ledger ledger_;
};

}  // namespace systole::hw
