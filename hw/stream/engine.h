#pragma once
// A streaming graph as a machine: its nodes as SystemC modules under one scheduler, run until the last element is
// taken.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hw/params/stream.h"
#include "hw/stream/fifo.h"
#include "hw/stream/node.h"
#include "hw/stream/steady_state.h"
#include "sim/kernel/scheduler.h"

namespace systole::hw {

class StreamValues;

static_assert(kMaxStreamNodes + 1 == Wheel::kMaxUnits);  // the observer of the steady state takes a place, too

struct StreamOptions {
  SchedulerMode scheduler = SchedulerMode::kFast;
  bool leaps = true;  // fast only: whole periods of the steady state at once
  Cycle max_cycles = kNever;
  StreamValues* values =
      nullptr;  // computes every firing in the cycle in which it starts (the reference form); null: time alone
};

struct StreamFifoResult {
  std::string name;
  std::uint64_t depth = 0;  // kUnbounded: no limit
  std::uint64_t peak = 0;   // most elements at the start of a cycle, without those in the producer's pipeline
  std::uint64_t elements = 0;
};

struct StreamNodeResult {
  std::string name;
  std::uint64_t firings = 0;
  double utilization = 0;  // firings * interval / cycles
};

struct StreamResult {
  Cycle cycles = 0;  // until the last element has been taken
  std::vector<StreamFifoResult> fifos;
  std::vector<StreamNodeResult> nodes;
  std::uint64_t wakeups = 0;
  std::uint64_t leaps = 0;
  Cycle cycles_leapt = 0;
};

class StreamEngine {
 public:
  // `graph` has been checked (workloads/streaming/check.h) and has at most kMaxStreamNodes nodes.
  StreamEngine(const StreamGraph& graph, const StreamOptions& options);
  ~StreamEngine();

  // Once per process (SystemC cannot start again). ModelError when the graph deadlocks, naming the full FIFO, the
  // starving node and the cycle of nodes that wait for each other, or when options.max_cycles pass.
  [[nodiscard]] StreamResult run();

 private:
  [[noreturn]] void report_deadlock(Cycle now) const;

  const StreamGraph graph_;
  const StreamOptions options_;
  std::vector<StreamFifo> fifos_;
  std::unique_ptr<Scheduler> scheduler_;
  std::vector<std::unique_ptr<StreamNode>> nodes_;
  std::unique_ptr<SteadyState> steady_state_;
};

}  // namespace systole::hw
