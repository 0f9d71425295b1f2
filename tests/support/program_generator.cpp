#include "tests/support/program_generator.h"

#include <algorithm>

#include "isa/legality.h"
#include "isa/model/model.h"
#include "sim/base/errors.h"
#include "tests/support/program_emitter.h"

namespace systole::test {
namespace {

isa::Geometry machine(int dim, int scratchpad_kib, int accumulator_kib, bool normaliser, int revision = 2023) {
  isa::Geometry result;
  result.dim = dim;
  result.scratchpad_kib = scratchpad_kib;
  result.accumulator_kib = accumulator_kib;
  result.normaliser = normaliser;
  result.revision = revision;
  result.iexp_as_igelu = revision == 2025;
  return result;
}

struct Weight {
  StepKind kind;
  std::uint32_t weight;
};

// Whether a trace can be judged at all: the static checks have nothing to say and the oracle runs it.
bool is_legal(const isa::Trace& trace) {
  const isa::Geometry geometry = isa::geometry_of(trace);
  if (!isa::check_legality(trace.program, geometry).empty()) return false;
  try {
    Memory memory;
    isa::apply_fills(trace, memory);
    isa::Model(geometry, memory).run(trace.program);
  } catch (const ModelError&) {
    return false;
  }
  return true;
}

// Removes runs of elements, long ones first, as long as `fails` holds for the rest. Single ones again and again: what an element needed may go
// when the element has gone.
template <class T, class Test>
std::vector<T> remove_runs(std::vector<T> elements, const Test& fails) {
  std::size_t length = std::max<std::size_t>(elements.size() / 2, 1);
  while (length > 0) {
    const std::size_t before = elements.size();
    for (std::size_t first = 0; first < elements.size();) {
      std::vector<T> rest = elements;
      const auto begin = rest.begin() + static_cast<std::ptrdiff_t>(first);
      rest.erase(begin, begin + static_cast<std::ptrdiff_t>(std::min(length, rest.size() - first)));
      if (fails(rest)) {
        elements = std::move(rest);
      } else {
        first += length;
      }
    }
    if (length > 1 || elements.size() == before) length /= 2;
  }
  return elements;
}

}  // namespace

const std::vector<isa::Geometry>& machines() {
  static const std::vector<isa::Geometry> all = [] {
    std::vector<isa::Geometry> result = {
        machine(16, 256, 64, true), machine(16, 256, 64, false),      machine(4, 16, 8, true),
        machine(8, 64, 32, true),   machine(8, 32, 16, false),        machine(32, 128, 128, true),
        machine(16, 64, 256, true), machine(16, 256, 64, true, 2025), machine(16, 256, 64, false, 2025)};
    isa::Geometry wide = machine(16, 256, 128, true);
    wide.max_request_bytes = 128;
    wide.scratchpad_banks = 8;
    wide.accumulator_banks = 4;
    result.push_back(wide);
    isa::Geometry extended = machine(16, 256, 64, true);
    extended.extensions = {true, true, true, true, true};
    result.push_back(extended);
    extended = machine(8, 64, 32, true);
    extended.extensions = {true, true, true, true, true};
    result.push_back(extended);
    isa::Geometry narrow = machine(16, 128, 64, true);
    narrow.max_request_bytes = 32;
    narrow.scratchpad_banks = 2;
    result.push_back(narrow);
    isa::Geometry wrapping = machine(16, 256, 64, true);  // sums in the array wrap
    wrapping.spatial_bits = 17;
    wrapping.iexp_as_igelu = true;
    result.push_back(wrapping);
    result.push_back(machine(64, 512, 256, true));
    return result;
  }();
  return all;
}

// Parameters that change cycles but not results; each choice is legal on every machine that plans choose from. A longer read path would make
// operations of as many rows lose a race with a flush behind them (hw/EXACTNESS.md), as those of 4 rows do by default.
struct TimingChoice {
  const char* key;
  std::vector<int> values;
};
const std::vector<TimingChoice>& timing_choices() {
  static const std::vector<TimingChoice> all = {
      {"dma.max_in_flight", {2, 3, 4, 8, 32, 64}},
      {"dma.bus_bytes", {8, 32}},
      {"scratchpad.ports", {2}},
      {"scratchpad.read_delay", {2, 3, 5}},
      {"accumulator.ports", {1}},
      {"accumulator.latency", {3}},
      {"accumulator.scale_latency", {1, 4, 12}},
      {"accumulator.scale_units", {4}},
      {"mvin_scale.units", {0, 1, 2}},
      {"mvin_scale.latency", {1, 2, 8}},
      {"queue.load", {2, 4, 16}},
      {"queue.execute", {5, 16}},
      {"queue.store", {4, 8}},
      {"reservation.load", {4, 16}},
      {"reservation.execute", {8, 32}},
      {"reservation.store", {8}},
      {"array.tile", {2, 4}},
      {"array.tile_latency", {1, 2}},
      {"array.output_delay", {0, 2, 4}},
      {"sfu.lane_latency", {2, 8}},
      {"sfu.divider_latency", {4, 40}},
      {"sfu.sqrt_latency", {4, 40}},
      {"sfu.reciprocal_latency", {4, 30}},
      {"sfu.multiplier_latency", {1}},
  };
  return all;
}

void add_timing(Random& random, ProgramPlan& plan) {
  const std::uint32_t count = random.count(1, 4);
  for (std::uint32_t i = 0; i < count; ++i) {
    const TimingChoice& choice = random.pick(timing_choices());
    const std::string key = choice.key;
    const std::string value = std::to_string(random.pick(choice.values));
    const bool known = std::any_of(plan.timing.begin(), plan.timing.end(), [&](const isa::MachineSetting& s) { return s.key == key; });
    if (known || (key == "accumulator.scale_units" && !plan.geometry.normaliser)) continue;
    plan.timing.push_back({key, value, 0});
    if (key == "accumulator.ports") plan.timing.push_back({"accumulator.sub_banks", std::to_string(random.pick({2, 4})), 0});
  }
}

ProgramPlan make_plan(std::uint64_t seed, const PlanOptions& options) {
  static constexpr Weight kWeights[] = {{StepKind::kMove, 5},
                                        {StepKind::kWeightStationary, 6},
                                        {StepKind::kOutputStationary, 4},
                                        {StepKind::kPool, 1},
                                        {StepKind::kNormalise, 2},
                                        {StepKind::kLoop, 5},
                                        {StepKind::kLoopSplit, 1},
                                        {StepKind::kLoopNormalise, 2},
                                        {StepKind::kResidual, 1},
                                        {StepKind::kConvolution, 2},
                                        {StepKind::kGap, 2},
                                        {StepKind::kFence, 1},
                                        {StepKind::kFlush, 1}};
  Random random(seed);
  ProgramPlan plan;
  plan.seed = seed;
  plan.geometry = options.geometry ? *options.geometry : random.pick(machines());
  plan.latency = random.pick({std::uint64_t{4}, std::uint64_t{20}, std::uint64_t{60}, std::uint64_t{150}});
  std::vector<StepKind> kinds;
  for (const Weight& entry : kWeights) {
    const bool is_loop = entry.kind == StepKind::kLoop || entry.kind == StepKind::kLoopSplit ||
                         entry.kind == StepKind::kLoopNormalise || entry.kind == StepKind::kResidual ||
                         entry.kind == StepKind::kConvolution;
    if (is_loop && !options.loops) continue;
    if (entry.kind == StepKind::kConvolution && !options.convolutions) continue;
    kinds.insert(kinds.end(), entry.weight, entry.kind);
  }
  if (random.chance(50)) plan.geometry.loop_conv_encoding = 2025;
  if (options.timing && random.chance(50)) add_timing(random, plan);
  const std::uint32_t steps = random.count(options.min_steps, options.max_steps);
  for (std::uint32_t i = 0; i < steps; ++i) plan.steps.push_back({random.pick(kinds), random.bits()});
  return plan;
}

isa::Trace emit(const ProgramPlan& plan) {
  ProgramEmitter emitter(plan);
  for (const Step& step : plan.steps) emitter.step(step);
  return emitter.finish();
}

std::vector<isa::MachineSetting> settings_of(const isa::Geometry& geometry) {
  std::vector<isa::MachineSetting> result;
  const auto add = [&](const char* key, int value) { result.push_back({key, std::to_string(value), 0}); };
  if (geometry.revision != 2023) add("revision", geometry.revision);
  add("array.dim", geometry.dim);
  if (geometry.spatial_bits != isa::Geometry{}.spatial_bits) add("array.output_bits", geometry.spatial_bits);
  if (geometry.iexp_as_igelu != (geometry.revision == 2025)) add("sfu.iexp_as_igelu", geometry.iexp_as_igelu ? 1 : 0);
  add("scratchpad.kib", geometry.scratchpad_kib);
  add("scratchpad.banks", geometry.scratchpad_banks);
  add("accumulator.kib", geometry.accumulator_kib);
  add("accumulator.banks", geometry.accumulator_banks);
  add("dma.max_bytes", geometry.max_request_bytes);
  add("sfu.normaliser", geometry.normaliser ? 1 : 0);
  const isa::Extensions& extensions = geometry.extensions;
  if (extensions.pre_shift) add("sfu.pre_shift", 1);
  if (extensions.mvin_acc_scale) add("sfu.mvin_acc_scale", 1);
  if (extensions.layer_norm_affine) add("sfu.layer_norm_affine", 1);
  if (extensions.deferred_softmax) add("sfu.deferred_softmax", 1);
  if (extensions.wide_variance) add("sfu.wide_variance", 1);
  return result;
}

ProgramPlan shrink(const ProgramPlan& plan, const Fails& fails) {
  ProgramPlan result = plan;
  result.steps = remove_runs(plan.steps, [&](const std::vector<Step>& steps) {
    ProgramPlan smaller = plan;
    smaller.steps = steps;
    return fails(emit(smaller));
  });
  return result;
}

isa::Trace shrink_items(const isa::Trace& trace, const Fails& fails) {
  // Runs of commands between fences; the last fence stays in any case.
  isa::Trace result = trace;
  result.program.items = remove_runs(trace.program.items, [&](const std::vector<isa::Item>& items) {
    const auto fences = [](const std::vector<isa::Item>& list) {
      return std::count_if(list.begin(), list.end(),
                           [](const isa::Item& item) { return item.kind == isa::ItemKind::kFence; });
    };
    if (fences(items) != fences(trace.program.items)) return false;
    isa::Trace smaller = trace;
    smaller.program.items = items;
    return is_legal(smaller) && fails(smaller);
  });
  return result;
}

}  // namespace systole::test
