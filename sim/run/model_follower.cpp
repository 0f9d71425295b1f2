#include "sim/run/model_follower.h"

#include <algorithm>

#include <fmt/format.h>

#include "sim/run/tolerance.h"
#include "workloads/lower/validate.h"

namespace systole::run {
namespace {

void add(CheckResult& sum, const workloads::Comparison& comparison) {
  sum.boundaries += comparison.boundaries;
  sum.elements += comparison.values;
  sum.mismatches += comparison.mismatches;
  if (comparison.first && sum.first_mismatch.empty()) sum.first_mismatch = workloads::describe(*comparison.first);
}

}  // namespace

ModelFollower::ModelFollower(const ModelInput& input, const workloads::Lowered& lowered, int dim, Memory& memory, const Options& options)
    : input_(input), lowered_(lowered), dim_(dim), memory_(memory), options_(options), live_(lowered, memory) {}

void ModelFollower::at_fence(std::size_t next) {
  live_.advance(next);
  if (next == 0) begin();
  for (Sequence& sequence : sequences_) compare_final(sequence, false);
}

void ModelFollower::begin() {
  // Whoever runs the program reads what the model says when it is over.
  const std::string logits = fmt::format("act.{}.logits", input_.model.layers.size());
  for (const workloads::Boundary& boundary : lowered_.boundaries) {
    if (boundary.name == logits) live_.hold(boundary.slices.at(0).address);
  }
  sequences_.clear();
  if (!options_.compare) return;
  for (std::size_t n = 0; n < input_.inputs.size(); ++n) {
    Sequence& sequence = sequences_.emplace_back();
    sequence.number = n;
    sequence.expected = std::make_unique<workloads::reference::BoundaryStream>(input_.model, input_.inputs[n], options_.reference);
    if (options_.against_float && input_.source != nullptr) {
      sequence.against_float.emplace(*input_.source, input_.model, input_.sequences[n].tokens, input_.sequences[n].target, input_.valid[n]);
    }
    for (const workloads::Boundary& boundary : lowered_.boundaries) {
      if (boundary.sequence != n) continue;
      for (const kernels::Matrix& slice : boundary.slices) {
        sequence.places[boundary.name].push_back(slice.address);
        live_.hold(slice.address);
      }
    }
    sequence.next = sequence.expected->next();
  }
}

void ModelFollower::compare_final(Sequence& sequence, bool all) {
  const auto is_final = [&] {
    const auto found = sequence.places.find(sequence.next->name);
    return found == sequence.places.end() ||
           std::all_of(found->second.begin(), found->second.end(), [&](std::uint64_t place) { return live_.dead(place); });
  };
  while (sequence.next && (all || is_final())) {
    compare(sequence);
    sequence.next.reset();
    sequence.next = sequence.expected->next();
  }
}

void ModelFollower::compare(Sequence& sequence) {
  auto& [name, tensor] = *sequence.next;
  if (sequence.against_float) sequence.against_float->see(name, tensor);
  const auto found = sequence.places.find(name);
  if (found == sequence.places.end()) return;
  std::vector<workloads::TensorMap> expected(sequence.number + 1);
  expected[sequence.number].emplace(name, std::move(tensor));
  add(sequence.result, workloads::compare(lowered_, input_.model, expected, memory_, dim_));
  for (const std::uint64_t place : found->second) live_.release(place);
  sequence.places.erase(found);
}

CheckResult ModelFollower::finish() {
  CheckResult result;
  for (Sequence& sequence : sequences_) {
    compare_final(sequence, true);
    result.boundaries += sequence.result.boundaries;
    result.elements += sequence.result.elements;
    result.mismatches += sequence.result.mismatches;
    if (result.first_mismatch.empty()) result.first_mismatch = sequence.result.first_mismatch;
    if (options_.overflows) {
      const workloads::reference::OverflowCounters& o = sequence.expected->overflows();
      result.overflows.accumulator += o.mac;
      result.overflows.gelu += o.gelu;
      result.overflows.exp_sum += o.sum_exp;
      result.overflows.variance += o.variance;
    }
    if (!sequence.against_float) continue;
    // The sequence that is furthest from float speaks for the batch.
    const workloads::ErrorMetrics& metrics = sequence.against_float->output();
    if (!result.against_float || metrics.sqnr_db() < result.against_float->sqnr_db) {
      result.against_float = CheckResult::Float{metrics.cosine(), metrics.sqnr_db(), metrics.max_abs() / metrics.reference_max(), 0, 0};
    }
  }
  if (!input_.random_weights || !result.against_float) return result;
  if (const auto tolerance = float_tolerance(input_.source->config(), input_.sizes.layers, input_.sizes.rows)) {
    result.against_float->min_cosine = tolerance->min_cosine;
    result.against_float->min_sqnr_db = tolerance->min_sqnr_db;
  }
  return result;
}

}  // namespace systole::run
