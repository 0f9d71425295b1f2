#pragma once
// Random legal programs: every class of instruction, odd sizes, several machines, dependences through all memories.
// Their final memory does not depend on timing, so that the oracle, a cycle-accurate machine and the RTL must agree.
// What the RTL does not order or gets wrong is avoided with fences (tests/support/hazard_tracker.h) or not generated at
// all: operands in the accumulator, absent A, local contents that a loop leaves behind, statistics ids in falling
// order, loads that overwrite each other beside stores, output-stationary chains that may run dry, training
// convolutions, counters.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "isa/geometry.h"
#include "isa/trace.h"

namespace systole::test {

// A self-contained piece of a program. Its own seed decides everything about it; what ran before decides only where
// fences are needed.
enum class StepKind : std::uint8_t {
  kMove,              // loads, then stores of the loaded and of older rows
  kWeightStationary,  // a chain of preload/compute pairs, results to scratchpad or accumulator
  kOutputStationary,
  kPool,           // max-pooling or flattened store
  kNormalise,      // LayerNorm or softmax with discrete stores
  kLoop,           // LOOP_WS
  kLoopSplit,      // two LOOP_WS that share their results
  kLoopNormalise,  // LOOP_WS with LayerNorm or softmax
  kResidual,       // LOOP_WS residual addition
  kConvolution,    // LOOP_CONV_WS
  kGap,
  kFence,
  kFlush,
};

struct Step {
  StepKind kind = StepKind::kFence;
  std::uint64_t seed = 0;
};

struct ProgramPlan {
  std::uint64_t seed = 0;
  isa::Geometry geometry;
  std::uint64_t latency = 20;  // of the ideal memory
  std::vector<isa::MachineSetting> timing;  // parameters that change cycles but not results
  std::vector<Step> steps;
};

struct PlanOptions {
  std::optional<isa::Geometry> geometry;  // absent: one of machines()
  std::uint32_t min_steps = 3;
  std::uint32_t max_steps = 14;
  bool convolutions = true;
  bool loops = true;
  bool timing = true;  // half of the programs run on machines with other latencies, widths, queues and ports
};

// The machines from which a plan chooses: arrays 4..64, different memories, with and without normaliser, both
// revisions.
[[nodiscard]] const std::vector<isa::Geometry>& machines();

[[nodiscard]] ProgramPlan make_plan(std::uint64_t seed, const PlanOptions& options = {});

// The program as a trace: `machine` line, initial memory as fills, the whole output area as one check.
[[nodiscard]] isa::Trace emit(const ProgramPlan& plan);

// `machine` settings that describe a geometry (Systole's parameter keys).
[[nodiscard]] std::vector<isa::MachineSetting> settings_of(const isa::Geometry& geometry);

using Fails = std::function<bool(const isa::Trace&)>;

// A plan with as few steps as possible that still fails; it stays legal by construction.
[[nodiscard]] ProgramPlan shrink(const ProgramPlan& plan, const Fails& fails);

// Then single commands: removes items as long as the trace fails. Fences stay. The result may depend on timing where
// the original did not; commands that the oracle or the static checks refuse are not tried.
[[nodiscard]] isa::Trace shrink_items(const isa::Trace& trace, const Fails& fails);

}  // namespace systole::test
