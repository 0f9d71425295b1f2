#pragma once
// The execute side between a source of commands and a scratchpad, with an observer of everything that happens at its ports.
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hw/array/systolic_array.h"
#include "hw/execute/execute_controller.h"
#include "hw/execute/mesh_input.h"
#include "hw/execute/transpose_unroller.h"
#include "hw/local/scratchpad.h"
#include "sim/kernel/scheduler.h"

namespace systole::hw {

// ---- commands
constexpr std::uint32_t kGarbage = isa::LocalAddress::kGarbage;
constexpr std::uint32_t kAcc = isa::LocalAddress::kAccumulatorBit;
constexpr std::uint32_t kAccumulate = isa::LocalAddress::kAccumulatorBit | isa::LocalAddress::kAccumulateBit;

struct Block {
  std::uint32_t address = kGarbage;
  unsigned cols = 16;
  unsigned rows = 16;
};

struct ExConfig {
  bool weight_stationary = true;
  bool relu = false;
  bool only_strides = false;
  bool a_transpose = false;
  bool b_transpose = false;
  unsigned a_stride = 1;
  unsigned c_stride = 1;
  unsigned shift = 0;
};

IssuedCommand config(const ExConfig& c);
IssuedCommand preload(const Block& d, const Block& c);
IssuedCommand compute(bool flip, const Block& a, const Block& b);

// ---- what happened
struct Write {
  Cycle at = 0;
  ArrayWrite row;
};
struct Done {
  Cycle at = 0;
  unsigned command = 0;      // place in the list of commands
};
struct Hazard {
  Cycle at = 0;
  std::uint32_t sequence = 0;
  std::string what;
};
struct Events {
  std::vector<Cycle> control;      // a control entry is pushed
  std::vector<Cycle> rows;         // a row enters the array
  std::vector<Cycle> requests;
  std::vector<Cycle> operations;   // last cycle of an operation
  std::vector<Cycle> starts;       // first control entry of an operation
  std::vector<Done> done;
  std::vector<Write> writes;
  std::vector<Hazard> hazards;
};

// Scratchpad writes from elsewhere: banks written in a cycle, as a mask.
using Disturbance = std::function<std::uint32_t(Cycle)>;

class ExecuteBench {
 public:
  ExecuteBench(const MachineParams& params, SchedulerMode mode = SchedulerMode::kFast, bool with_values = true);
  ~ExecuteBench();

  // Offers the commands in order, the i-th not before `at[i]` (default: all at once), then runs until nothing happens any more.
  // Command i enters the unroller's queue in cycle c and the controller sees it in c + 2. Gives up at `max_cycles`.
  const Events& run(const std::vector<IssuedCommand>& commands, const std::vector<Cycle>& at = {}, const Disturbance& disturbance = {},
                    Cycle max_cycles = 1'000'000);

  [[nodiscard]] ValuePlane& plane() { return *plane_; }
  [[nodiscard]] ExecuteController& controller();
  [[nodiscard]] std::uint64_t wakeups() const;
  [[nodiscard]] Cycle end() const;

 private:
  struct Parts;
  std::unique_ptr<Memory> memory_;
  std::unique_ptr<ValuePlane> plane_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace systole::hw
