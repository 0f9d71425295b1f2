#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "sim/run/tolerance.h"
#include "sim/run/workload.h"
#include "workloads/lower/lower.h"
#include "workloads/lower/validate.h"
#include "workloads/quantise/accuracy.h"
#include "workloads/quantise/quantiser.h"
#include "workloads/reference/evaluate.h"
#include "workloads/weights/checkpoint.h"
#include "workloads/weights/random.h"

namespace systole::run {
namespace {

using workloads::Architecture;
using workloads::TensorMap;

constexpr std::uint64_t kDefaultRows = 128;
constexpr std::uint64_t kInputStream = 1000;   // away from the streams of the calibration tokens

// Sizes with the workload's own in place of what the user left out.
struct Sizes {
  std::size_t layers = 0;
  std::size_t prompt = 0;     // rows of the first pass
  std::size_t rows = 0;       // of the whole input: prompt and generated tokens
  std::size_t target = 0;     // decoder rows of an encoder-decoder model
  std::size_t batch = 1;
};

bool is_checkpoint(const WorkloadRequest& request) { return std::filesystem::is_directory(request.name); }

Sizes sizes_of(const WorkloadRequest& request, const workloads::ModelConfig& config) {
  Sizes sizes;
  sizes.layers = request.layers == 0 ? config.layers : request.layers;
  sizes.prompt = request.seq == 0 ? std::min<std::size_t>(kDefaultRows, config.max_positions) : request.seq;
  sizes.batch = request.batch;
  sizes.rows = sizes.prompt;
  switch (config.architecture) {
    case Architecture::Gpt2: sizes.rows += request.generate; break;
    case Architecture::EncoderDecoder: sizes.target = request.generate == 0 ? sizes.prompt : request.generate; break;
    case Architecture::Bert:
    case Architecture::CrossAttention:
      if (request.generate != 0) throw ConfigError(fmt::format("--generate: {} has no decoder", config.name));
      break;
  }
  if (sizes.layers > config.layers) throw ConfigError(fmt::format("--layers {}: {} has {} layers", sizes.layers, config.name, config.layers));
  if (std::max(sizes.rows, sizes.target) > config.max_positions) {
    throw ConfigError(fmt::format("a sequence of {} rows is longer than the {} positions of {}", std::max(sizes.rows, sizes.target),
                                  config.max_positions, config.name));
  }
  return sizes;
}

workloads::QuantisedModel quantise(const workloads::WeightSource& source, const Sizes& sizes, const kernels::Target& target,
                                   std::uint64_t seed, unsigned threads) {
  const kernels::Extensions& extensions = target.extensions;
  workloads::QuantiseOptions options;
  // The forms that the machine can compute; the CPU can compute all.
  if (target.normaliser && (!extensions.norm_affine || !extensions.accumulator_scale)) options.norm_form = workloads::NormForm::Fold;
  if (!target.normaliser || !extensions.deferred_softmax) options.probability_form = workloads::ProbabilityForm::Calibrated;
  options.sequence = sizes.rows;
  options.queries = sizes.target;
  options.prefill = sizes.prompt;
  options.layers = sizes.layers;
  options.seed = seed;
  options.threads = threads;
  workloads::QuantisedModel model = workloads::quantise(source, options);
  model.host_functions = !target.normaliser;
  return model;
}

void add(CheckResult& sum, const workloads::Comparison& comparison) {
  sum.boundaries += comparison.boundaries;
  sum.elements += comparison.values;
  sum.mismatches += comparison.mismatches;
  if (comparison.first && sum.first_mismatch.empty()) sum.first_mismatch = workloads::describe(*comparison.first);
}

std::unique_ptr<workloads::WeightSource> weights_of(const WorkloadRequest& request) {
  if (is_checkpoint(request)) return std::make_unique<workloads::CheckpointWeights>(request.name);
  return std::make_unique<workloads::RandomWeights>(workloads::find_model(request.name), request.seed);
}

// A checkpoint, or a known model with random weights; on random tokens.
class ModelWorkload final : public Workload {
 public:
  ModelWorkload(const WorkloadRequest& request, const kernels::Target& target, unsigned threads,
                const std::function<void(const std::string&)>& progress)
      : target_(target), source_(weights_of(request)), sizes_(sizes_of(request, source_->config())), promised_(!is_checkpoint(request)) {
    progress("quantising");
    model_ = quantise(*source_, sizes_, target, request.seed, threads);
    for (std::size_t i = 0; i < sizes_.batch; ++i) {
      tokens_.push_back(workloads::random_tokens(source_->config(), sizes_.rows, request.seed, kInputStream + 2 * i));
      targets_.push_back(workloads::random_tokens(source_->config(), sizes_.target, request.seed, kInputStream + 2 * i + 1));
      inputs_.push_back(workloads::embedded_inputs(*source_, tokens_[i], targets_[i]));
    }
    progress("lowering");
    lowered_ = workloads::lower(model_, inputs_, target_);
  }

  [[nodiscard]] std::uint64_t seq() const override { return sizes_.prompt; }
  [[nodiscard]] std::uint64_t layers() const override { return sizes_.layers; }
  void drop_values() override {
    lowered_.program.image = {};
    model_ = {};
  }
  [[nodiscard]] const isa::Program& program() const override { return lowered_.program; }

  [[nodiscard]] CheckResult check(const Memory& memory) const override {
    CheckResult result;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      workloads::FloatComparison against_float(*source_, model_, tokens_[i], targets_[i]);
      compare_all(i, lowered_, memory, result, [&](const std::string& name, const workloads::Tensor& boundary) { against_float.see(name, boundary); });
      // The sequence that is furthest from float speaks for the batch.
      const workloads::ErrorMetrics& metrics = against_float.output();
      if (!result.against_float || metrics.sqnr_db() < result.against_float->sqnr_db) {
        result.against_float = CheckResult::Float{metrics.cosine(), metrics.sqnr_db(), metrics.max_abs() / metrics.reference_max(), 0, 0};
      }
    }
    if (const auto tolerance = float_tolerance(source_->config(), sizes_.layers, sizes_.rows); tolerance && promised_) {
      result.against_float->min_cosine = tolerance->min_cosine;
      result.against_float->min_sqnr_db = tolerance->min_sqnr_db;
    }
    return result;
  }

  [[nodiscard]] bool has_hidden_boundaries() const override { return !model_.host_functions; }

  [[nodiscard]] CheckResult check_hidden(const Simulate& simulate) const override {
    workloads::LowerOptions options;
    options.store_all_boundaries = true;
    workloads::Lowered all = workloads::lower(model_, inputs_, target_, options);
    std::set<std::string> seen;
    for (const workloads::Boundary& boundary : lowered_.boundaries) seen.insert(boundary.name);
    Memory memory;
    simulate(all.program, memory);
    const auto known = [&](const workloads::Boundary& boundary) { return seen.count(boundary.name) != 0; };
    all.boundaries.erase(std::remove_if(all.boundaries.begin(), all.boundaries.end(), known), all.boundaries.end());
    CheckResult result;
    for (std::size_t i = 0; i < inputs_.size(); ++i) compare_all(i, all, memory, result, [](const std::string&, const workloads::Tensor&) {});
    return result;
  }

 private:
  using See = std::function<void(const std::string&, const workloads::Tensor&)>;

  // Compares one boundary after the other as the reference computes it, so that no more than one is held.
  void compare_all(std::size_t sequence, const workloads::Lowered& lowered, const Memory& memory, CheckResult& result, const See& see) const {
    workloads::reference::OverflowCounters overflows;
    const auto sink = [&](const std::string& name, workloads::Tensor boundary) {
      see(name, boundary);
      std::vector<TensorMap> expected(sequence + 1);
      expected[sequence][name] = std::move(boundary);
      add(result, workloads::compare(lowered, model_, expected, memory, target_.dim));
    };
    workloads::reference::evaluate(model_, inputs_[sequence], sink, overflows);
  }

  kernels::Target target_;
  std::unique_ptr<workloads::WeightSource> source_;
  Sizes sizes_;
  bool promised_;   // an accuracy is known for these weights
  workloads::QuantisedModel model_;
  std::vector<std::vector<std::int32_t>> tokens_;
  std::vector<std::vector<std::int32_t>> targets_;
  std::vector<TensorMap> inputs_;
  workloads::Lowered lowered_;
};

}  // namespace

std::unique_ptr<Workload> make_model_workload(const WorkloadRequest& request, const kernels::Target& target, unsigned threads,
                                              const std::function<void(const std::string&)>& progress) {
  if (!request.input.empty()) throw ConfigError("input: a model runs on random tokens; see --seed");
  return std::make_unique<ModelWorkload>(request, target, threads, progress);
}

}  // namespace systole::run
