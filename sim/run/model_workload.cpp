#include <algorithm>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "sim/run/model_follower.h"
#include "sim/run/model_input.h"
#include "sim/run/workload.h"
#include "workloads/lower/lower.h"
#include "workloads/reference/evaluate.h"

namespace systole::run {
namespace {

using workloads::TensorMap;

// A quantised model, or weights that become one, on tokens or tensors.
class ModelWorkload final : public Workload {
 public:
  ModelWorkload(const WorkloadRequest& request, const kernels::Target& target, bool values, unsigned threads,
                const std::function<void(const std::string&)>& progress)
      : target_(target), in_(make_model_input(request, target, values, threads, progress)) {
    progress("lowering");
    options_.last_logits_only = request.generate != 0;
    options_.borrow_weights = true;
    lowered_ = workloads::lower(in_.model, in_.inputs, target_, options_);
  }

  [[nodiscard]] std::uint64_t seq() const override { return in_.source != nullptr && in_.model.architecture == workloads::Architecture::EncoderDecoder ? in_.sizes.rows : in_.sizes.prompt; }
  [[nodiscard]] std::uint64_t layers() const override { return in_.sizes.layers; }
  void drop_values() override {
    lowered_.program.image = {};
    lowered_.borrowed = {};
    in_.model.layers = {};
    in_.model.language_head.reset();
    in_.inputs = {};
  }
  [[nodiscard]] const isa::Program& program() const override { return lowered_.program; }
  [[nodiscard]] std::vector<std::string> warnings() const override { return in_.warnings; }

  [[nodiscard]] std::unique_ptr<Follower> follow(Memory& memory, bool compare) const override {
    ModelFollower::Options options = reference_options();
    options.compare = compare;
    return std::make_unique<ModelFollower>(in_, lowered_, target_.dim, memory, options);
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
    const auto known = [&](const workloads::Boundary& boundary) { return seen.count(boundary.name) != 0; };
    all.boundaries.erase(std::remove_if(all.boundaries.begin(), all.boundaries.end(), known), all.boundaries.end());
    Memory memory;
    ModelFollower::Options following = reference_options();
    following.against_float = following.overflows = false;
    ModelFollower follower(in_, all, target_.dim, memory, following);
    simulate(all.program, memory, follower);
    return follower.finish();
  }

 private:
  [[nodiscard]] ModelFollower::Options reference_options() const {
    ModelFollower::Options options;
    if (options_.last_logits_only) options.reference.first_logits = in_.sizes.prompt - 1;
    return options;
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
