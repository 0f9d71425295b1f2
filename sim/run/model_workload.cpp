#include <algorithm>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "sim/run/model_input.h"
#include "sim/run/tolerance.h"
#include "sim/run/workload.h"
#include "workloads/lower/lower.h"
#include "workloads/lower/validate.h"
#include "workloads/quantise/accuracy.h"
#include "workloads/reference/evaluate.h"

namespace systole::run {
namespace {

using workloads::TensorMap;

void add(CheckResult& sum, const workloads::Comparison& comparison) {
  sum.boundaries += comparison.boundaries;
  sum.elements += comparison.values;
  sum.mismatches += comparison.mismatches;
  if (comparison.first && sum.first_mismatch.empty()) sum.first_mismatch = workloads::describe(*comparison.first);
}

void add(CheckResult& sum, const workloads::reference::OverflowCounters& overflows) {
  if (overflows.total() == 0) return;
  sum.overflows += overflows.total();
  sum.overflow_text = fmt::format("{} accumulator words, {} GELU elements, {} softmax rows, {} LayerNorm rows", overflows.mac, overflows.gelu,
                                  overflows.sum_exp, overflows.variance);
}

// A quantised model, or weights that become one, on tokens or tensors.
class ModelWorkload final : public Workload {
 public:
  ModelWorkload(const WorkloadRequest& request, const kernels::Target& target, bool values, unsigned threads,
                const std::function<void(const std::string&)>& progress)
      : target_(target), in_(make_model_input(request, target, values, threads, progress)) {
    progress("lowering");
    options_.last_logits_only = request.generate != 0;
    lowered_ = workloads::lower(in_.model, in_.inputs, target_, options_);
  }

  [[nodiscard]] std::uint64_t seq() const override { return in_.source != nullptr && in_.model.architecture == workloads::Architecture::EncoderDecoder ? in_.sizes.rows : in_.sizes.prompt; }
  [[nodiscard]] std::uint64_t layers() const override { return in_.sizes.layers; }
  void drop_values() override {
    lowered_.program.image = {};
    in_.model.layers = {};
    in_.model.language_head.reset();
    in_.inputs = {};
  }
  [[nodiscard]] const isa::Program& program() const override { return lowered_.program; }
  [[nodiscard]] std::vector<std::string> warnings() const override { return in_.warnings; }

  [[nodiscard]] CheckResult check(const Memory& memory) const override {
    CheckResult result;
    for (std::size_t i = 0; i < in_.inputs.size(); ++i) {
      if (in_.source == nullptr) {
        compare_all(i, lowered_, memory, result, [](const std::string&, const workloads::Tensor&) {}, true);
        continue;
      }
      workloads::FloatComparison against_float(*in_.source, in_.model, in_.sequences[i].tokens, in_.sequences[i].target, in_.valid[i]);
      compare_all(i, lowered_, memory, result, [&](const std::string& name, const workloads::Tensor& boundary) { against_float.see(name, boundary); }, true);
      // The sequence that is furthest from float speaks for the batch.
      const workloads::ErrorMetrics& metrics = against_float.output();
      if (!result.against_float || metrics.sqnr_db() < result.against_float->sqnr_db) {
        result.against_float = CheckResult::Float{metrics.cosine(), metrics.sqnr_db(), metrics.max_abs() / metrics.reference_max(), 0, 0};
      }
    }
    if (!in_.random_weights) return result;
    if (const auto tolerance = float_tolerance(in_.source->config(), in_.sizes.layers, in_.sizes.rows)) {
      result.against_float->min_cosine = tolerance->min_cosine;
      result.against_float->min_sqnr_db = tolerance->min_sqnr_db;
    }
    return result;
  }

  [[nodiscard]] std::vector<SequenceTokens> tokens(const Memory& memory) const override {
    std::vector<SequenceTokens> result;
    for (const workloads::Boundary& boundary : lowered_.boundaries) {
      if (boundary.name != fmt::format("act.{}.logits", in_.model.layers.size())) continue;
      const kernels::Matrix& logits = boundary.slices.at(0);
      SequenceTokens said;
      std::vector<std::int32_t> row(logits.cols);
      for (std::uint64_t r = 0; r < logits.rows; ++r) {
        std::memcpy(row.data(), memory.at(logits.at(r, 0), logits.cols * 4), logits.cols * 4);
        said.predicted.push_back(workloads::reference::argmax(row.data(), row.size()));
      }
      if (boundary.sequence < in_.generated.size()) {
        const TokenSequence& s = in_.sequences[boundary.sequence];
        const std::vector<std::int32_t>& all = s.target.empty() ? s.tokens : s.target;
        said.prompt.assign(all.begin(), all.end() - static_cast<std::ptrdiff_t>(in_.generated[boundary.sequence].size()));
        // The machine's own choice; row n says token n + 1.
        said.generated.assign(said.predicted.begin(), said.predicted.begin() + static_cast<std::ptrdiff_t>(in_.generated[boundary.sequence].size()));
        said.predicted.clear();
      } else if (boundary.sequence < in_.sequences.size()) {
        said.prompt = in_.sequences[boundary.sequence].target.empty() ? in_.sequences[boundary.sequence].tokens : in_.sequences[boundary.sequence].target;
      }
      result.push_back(std::move(said));
    }
    return result;
  }

  [[nodiscard]] bool has_hidden_boundaries() const override { return !in_.model.host_functions; }

  [[nodiscard]] CheckResult check_hidden(const Simulate& simulate) const override {
    workloads::LowerOptions options = options_;
    options.store_all_boundaries = true;
    workloads::Lowered all = workloads::lower(in_.model, in_.inputs, target_, options);
    std::set<std::string> seen;
    for (const workloads::Boundary& boundary : lowered_.boundaries) seen.insert(boundary.name);
    Memory memory;
    simulate(all.program, memory);
    const auto known = [&](const workloads::Boundary& boundary) { return seen.count(boundary.name) != 0; };
    all.boundaries.erase(std::remove_if(all.boundaries.begin(), all.boundaries.end(), known), all.boundaries.end());
    CheckResult result;
    for (std::size_t i = 0; i < in_.inputs.size(); ++i) compare_all(i, all, memory, result, [](const std::string&, const workloads::Tensor&) {}, false);
    return result;
  }

 private:
  using See = std::function<void(const std::string&, const workloads::Tensor&)>;

  // Compares one boundary after the other as the reference computes it, so that no more than one is held.
  void compare_all(std::size_t sequence, const workloads::Lowered& lowered, const Memory& memory, CheckResult& result, const See& see,
                   bool count_overflows) const {
    workloads::reference::OverflowCounters overflows;
    const auto sink = [&](const std::string& name, workloads::Tensor boundary) {
      see(name, boundary);
      std::vector<TensorMap> expected(sequence + 1);
      expected[sequence][name] = std::move(boundary);
      add(result, workloads::compare(lowered, in_.model, expected, memory, target_.dim));
    };
    workloads::reference::EvaluateOptions options;
    if (options_.last_logits_only) options.first_logits = in_.sizes.prompt - 1;
    workloads::reference::evaluate(in_.model, in_.inputs[sequence], sink, overflows, options);
    if (count_overflows) add(result, overflows);
  }

  kernels::Target target_;
  ModelInput in_;
  workloads::LowerOptions options_;
  workloads::Lowered lowered_;
};

}  // namespace

std::unique_ptr<Workload> make_model_workload(const WorkloadRequest& request, const kernels::Target& target, bool values, unsigned threads,
                                              const std::function<void(const std::string&)>& progress) {
  return std::make_unique<ModelWorkload>(request, target, values, threads, progress);
}

}  // namespace systole::run
