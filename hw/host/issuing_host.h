#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hw/params/cpu.h"
#include "hw/params/host_costs.h"
#include "hw/ports/command.h"
#include "hw/ports/host_access.h"
#include "isa/program.h"
#include "sim/base/memory.h"
#include "sim/kernel/busy_line.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/unit.h"
#include "sim/stats/ledger.h"

namespace systole::hw {

struct HostParams {
  int revision = 2023;             // decides which codes exist
  int loop_conv_revision = 2023;   // form of the convolution's configuration words: 2023 square, 2025 rectangular
  Cycle first_cycle = 16;          // start of the first item; the accelerator is idle by then
  CpuParams cpu;                   // what host operations and loops cost
  HostMemory data{};               // where the data of host operations are
  Memory* values = nullptr;        // host operations compute here; absent: in time only
  const Memory* memory = nullptr;  // what they may reach; absent: not checked
  // A memory system that the CPU shares: the lines that host operations touch go there, and are waited for. Both or none.
  Channel<HostAccess>* accesses = nullptr;
  Channel<HostAccessDone>* accesses_done = nullptr;
  // Called before and after values are computed in `values`, which may be behind caches.
  std::function<void()> before_values, after_values;
};

// The CPU's side of the RoCC port: plays a program's items in order. A command is offered until it is accepted; a gap of n cycles delays
// the next item by n; a fence lasts until the accelerator is not busy, and the next item starts in the cycle after that. A host operation
// takes the cycles of host_costs.def, behind those of its accesses, and leaves its values in memory when it starts: the program fences in
// front of it.
class IssuingHost final : public Unit {
 public:
  // The first cycle of a region: that of its first item.
  struct Boundary {
    std::uint32_t region = 0;      // index into Program::regions
    Cycle begin = 0;
  };
  // All cycles are absolute.
  struct Log {
    Cycle begin = kNever;          // the first command is accepted, or the first host operation starts
    std::vector<Cycle> accepts;    // one per command
    std::vector<Cycle> fences;     // first cycle, from the fence's start on, in which nothing is busy
    std::vector<Boundary> regions;
    Cycle end = 0;                 // the cycle behind the last item
  };
  // Called in the cycle in which the item after the last one would start; and at each region's begin.
  struct Callbacks {
    std::function<void(Cycle end)> done;
    std::function<void(const Boundary& boundary)> region;
    // Before the first item and after each fence, if given: true holds the host until resume() or skip() in the same cycle.
    std::function<bool(Cycle now)> hold{};
    // The run begins (Log::begin) in this cycle.
    std::function<void(Cycle now)> started{};
  };
  // What happens to a stretch of items, relative to its beginning.
  struct Stretch {
    std::size_t items = 0;
    Cycle cycles = 0;
    bool holds = true;               // ends behind a fence, with the host held there
    std::optional<Cycle> begin{};    // the run's begin, if it lies in the stretch
    std::vector<std::uint32_t> accepts;
    std::vector<std::uint32_t> fences;
  };

  IssuingHost(const sc_core::sc_module_name& name, const HostParams& params, Channel<Command>& out, Callbacks callbacks);

  // A level that a fence waits for.
  void watch(BusyLine& line) { lines_.push_back(&line); }
  // Starts `program`, which must outlive the run. After the scheduler knows the unit, once.
  void start(const isa::Program& program);

  void evaluate(Cycle now) override;

  // The next item, or the one that is being offered. While held: go on.
  [[nodiscard]] std::size_t next() const { return item_; }
  [[nodiscard]] bool held() const { return held_; }
  void resume(Cycle now);
  // Go on behind a stretch that begins now, as if it had been played. Region items of the stretch are the caller's business.
  void skip(Cycle now, const Stretch& stretch);
  void residual(Residual& r) override {
    r.rest(accesses_.empty());
    r(in_loop_);
    r.time(item_start_);
    ledger_.residual(r);
  }
  [[nodiscard]] std::string state_text() const override;
  // The cycle from which on the running item waits for the accelerator; in the future while a gap lasts or the CPU computes.
  [[nodiscard]] Cycle item_start() const { return item_start_; }
  [[nodiscard]] const Log& log() const { return log_; }
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }

 private:
  enum class State : unsigned { kIdle, kBusy, kQueueFull, kFence, kHostOperation };

  bool hold(Cycle now);
  void go_on(Cycle now);
  // True when the item is done and the next one starts in this cycle.
  bool play(const isa::Item& item, Cycle now);
  bool play_command(const isa::Item& item, Cycle now);
  bool play_gap(const isa::Item& item, Cycle now);
  bool play_fence(Cycle now);
  bool play_host_operation(const isa::HostOp& host, Cycle now);
  void access_memory(Cycle now);
  void note_work(Cycle now);   // the run begins, if it has not
  // What comes before the run's begin is no part of its account.
  void book(Cycle now, State state);
  // The cycles in which the CPU computes the words of a loop, once per loop.
  bool prepare_loop(isa::Op op, Cycle now);
  [[nodiscard]] Command decode(const isa::Instruction& instruction, Cycle now) const;
  [[nodiscard]] BusyLine* busy_line(Cycle cycle) const;
  void next_item(Cycle start);

  const HostParams params_;
  Channel<Command>& out_;
  Callbacks callbacks_;
  std::vector<BusyLine*> lines_;
  const isa::Program* program_ = nullptr;
  std::size_t item_ = 0;
  Cycle item_start_ = kNever;   // kNever: nothing (more) to play
  std::vector<HostAccess> accesses_;   // of the host operation under way, while it waits for memory
  std::size_t next_access_ = 0;
  Cycle own_cycles_ = 0;        // of the host operation
  bool in_loop_ = false;        // between the first configuration of a loop_ws and its start
  bool begun_ = false;
  bool held_ = false;
  Log log_;
  Ledger ledger_;
};

}  // namespace systole::hw
