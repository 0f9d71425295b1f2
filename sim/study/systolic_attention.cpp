#include "sim/study/systolic_attention.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <nlohmann/json.hpp>

#include "kernels/allocate.h"
#include "kernels/attention.h"
#include "sim/base/errors.h"
#include "sim/base/memory.h"
#include "sim/base/process_pool.h"
#include "sim/run/results.h"
#include "sim/run/simulation.h"
#include "sim/run/target.h"
#include "workloads/quantise/constants.h"
#include "workloads/streaming/data.h"

namespace systole::study {
namespace {

using workloads::SystolicAttention;

constexpr double kLargestInt8 = 127;

double largest_magnitude(const double* values, std::size_t count) {
  double largest = 0;
  for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(values[i]));
  return largest;
}

struct Quantised {
  std::vector<std::int8_t> values;
  double scale = 1;  // real value of one unit
};

Quantised quantise(const std::vector<float>& values) {
  Quantised result;
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::fabs(value));
  if (largest > 0) result.scale = static_cast<double>(largest) / kLargestInt8;
  for (const float value : values)
    result.values.push_back(static_cast<std::int8_t>(std::nearbyint(static_cast<double>(value) / result.scale)));
  return result;
}

// Where the head lies in memory, and what its numbers mean.
struct Head {
  kernels::Matrix context, weights;
  double context_scale = 1;
};

Head emit(isa::Program& program, const kernels::Target& target, const workloads::AttentionData& data,
          const std::vector<double>& exact) {
  const Quantised q = quantise(data.q), k = quantise(data.k), v = quantise(data.v);
  Head head;
  head.context_scale = largest_magnitude(exact.data(), exact.size()) / kLargestInt8;
  if (head.context_scale == 0) head.context_scale = 1;

  kernels::Allocator memory(program, target.dim);
  kernels::AttentionHead h;
  h.q = memory.matrix("q", data.rows, data.dim, q.values.data());
  h.k = memory.matrix("k", data.rows, data.dim, k.values.data());
  h.v = memory.matrix("v", data.rows, data.dim, v.values.data());
  h.p = memory.matrix("weights", data.rows, data.rows, kernels::Element::kInt8);
  h.context = memory.matrix("context", data.rows, data.dim, kernels::Element::kInt8);
  if (kernels::scores_need_memory(target, data.rows))
    h.scores = memory.matrix("scores", data.rows, data.rows, kernels::Element::kInt32);
  // Units of a score as small as int32 sums of all keys' exponentials allow.
  const double raw = q.scale * k.scale / std::sqrt(static_cast<double>(data.dim));
  h.pre_shift = workloads::pre_shift_for(raw, workloads::smallest_exp_scale(data.rows));
  const workloads::ExpConstants exp = workloads::exp_constants(std::ldexp(raw, h.pre_shift));
  h.exp = {exp.qb, exp.qc, exp.qln2, exp.qln2_inv};
  // exp / max goes to memory as 0..127; the row's 127 / sum is applied to the context.
  const double peak = static_cast<double>(exp.qb) * exp.qb + exp.qc;
  h.p_scale = static_cast<float>(kLargestInt8 / peak);
  h.context_scale = static_cast<float>(peak * v.scale / (kLargestInt8 * kLargestInt8 * head.context_scale));
  head.context = h.context;
  head.weights = h.p;
  if (!target.normaliser || !target.extensions.pre_shift || !target.extensions.deferred_softmax)
    throw ConfigError("attention needs sfu.normaliser=1, sfu.pre_shift=1 and sfu.deferred_softmax=1: preset 'survey'");
  kernels::Builder builder(target, program);
  kernels::attention(builder, {h}, {true, std::string()});
  return head;
}

SystolicAttention run_here(std::uint64_t rows, std::size_t dim, std::uint64_t seed, const config::MachineConfig& machine) {
  const workloads::AttentionData data = workloads::random_attention_data(rows, dim, seed);
  const std::vector<double> exact = workloads::reference_attention(data, false);
  isa::Program program;
  const Head head = emit(program, run::target_of(machine.params), data, exact);
  Memory memory;
  run::SimulationSettings settings;
  settings.check = false;
  const run::ProgramRun run = run::simulate(program, memory, machine, settings);

  SystolicAttention result;
  result.cycles = run.machine.cycles;
  std::uint64_t macs = 0;
  for (const isa::Region& region : program.regions) macs += region.macs;
  result.utilization = run::utilisation(macs, run.machine.cycles, machine.params.array.dim);
  constexpr std::uint64_t kKib = 1024;
  result.on_chip_bytes = kKib * static_cast<std::uint64_t>(machine.params.scratchpad.kib + machine.params.accumulator.kib);
  result.memory_bytes = run.traffic.read_bytes + run.traffic.write_bytes;
  result.multipliers = static_cast<std::uint64_t>(machine.params.array.dim) * static_cast<std::uint64_t>(machine.params.array.dim);
  result.intermediate_bytes = head.weights.rows * head.weights.cols;
  if (kernels::scores_need_memory(run::target_of(machine.params), rows)) result.intermediate_bytes += 4 * rows * rows;
  // A weight is off by a rounding error of standard deviation 1/sqrt(12); the errors of a row's weights meet values of
  // variance 1 and are divided by the row's sum. 5 deviations: about 1e5 results are compared.
  const double weights_error = 5 * std::sqrt(static_cast<double>(rows) / 12);
  for (std::uint64_t r = 0; r < rows; ++r) {
    const auto* weights = memory.at(head.weights.at(r, 0), rows);
    const double sum = std::accumulate(weights, weights + rows, 0.0);
    const double explained = head.context_scale / 2 + weights_error / sum;
    const auto* row = memory.at(head.context.at(r, 0), dim);
    for (std::size_t c = 0; c < dim; ++c) {
      const double ours = head.context_scale * static_cast<std::int8_t>(row[c]);
      const double error = std::fabs(ours - exact[r * dim + c]);
      result.largest_error = std::max(result.largest_error, error);
      result.largest_relative_error = std::max(result.largest_relative_error, error / explained);
    }
  }
  return result;
}

}  // namespace

SystolicAttention systolic_attention(std::uint64_t rows, std::size_t dim, std::uint64_t seed,
                                     const config::MachineConfig& machine) {
  // A SystemC kernel is process-wide state, and the study has others.
  BackgroundTask task([&] {
    const SystolicAttention r = run_here(rows, dim, seed, machine);
    return nlohmann::json{r.cycles, r.utilization, r.on_chip_bytes, r.multipliers, r.memory_bytes, r.intermediate_bytes,
                          r.largest_error, r.largest_relative_error}
        .dump();
  });
  const auto json = nlohmann::json::parse(text_or_throw(task.wait()));
  SystolicAttention r;
  std::size_t i = 0;
  r.cycles = json.at(i++), r.utilization = json.at(i++), r.on_chip_bytes = json.at(i++), r.multipliers = json.at(i++);
  r.memory_bytes = json.at(i++), r.intermediate_bytes = json.at(i++);
  r.largest_error = json.at(i++), r.largest_relative_error = json.at(i++);
  return r;
}

}  // namespace systole::study
