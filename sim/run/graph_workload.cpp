#include <fmt/format.h>

#include "isa/image.h"
#include "sim/base/errors.h"
#include "sim/run/workload.h"
#include "workloads/graph/graph_yaml.h"
#include "workloads/lower/lower_graph.h"
#include "workloads/lower/validate.h"

namespace systole::run {
namespace {

// A graph is small: all of it is in memory from the beginning to the end.
class GraphFollower final : public Follower {
 public:
  GraphFollower(const workloads::QuantisedGraph& graph, const workloads::Lowered& lowered, int dim, Memory& memory, bool compare)
      : graph_(graph), lowered_(lowered), dim_(dim), memory_(memory), compare_(compare) {}

  void at_fence(std::size_t next) override {
    if (next == 0) isa::load_image(lowered_.program, memory_);
  }

  [[nodiscard]] CheckResult finish() override {
    CheckResult result;
    if (!compare_) return result;
    const workloads::Comparison comparison = workloads::compare(lowered_, workloads::Visibility{}, {workloads::values_of(graph_)}, memory_, dim_);
    result.boundaries = comparison.boundaries;
    result.elements = comparison.values;
    result.mismatches = comparison.mismatches;
    if (comparison.first) result.first_mismatch = workloads::describe(*comparison.first);
    return result;
  }

 private:
  const workloads::QuantisedGraph& graph_;
  const workloads::Lowered& lowered_;
  const int dim_;
  Memory& memory_;
  const bool compare_;
};

class GraphWorkload final : public Workload {
 public:
  GraphWorkload(const WorkloadRequest& request, const kernels::Target& target)
      : dim_(target.dim),
        graph_(workloads::quantise_graph(workloads::load_graph(request.name, request.seq), workloads::functions_of(target))),
        lowered_(workloads::lower_graph(graph_, target)) {}

  [[nodiscard]] std::uint64_t seq() const override { return graph_.graph.nodes.front().rows; }
  [[nodiscard]] std::uint64_t layers() const override { return 1; }
  [[nodiscard]] const isa::Program& program() const override { return lowered_.program; }

  [[nodiscard]] std::unique_ptr<Follower> follow(Memory& memory, bool compare) const override {
    return std::make_unique<GraphFollower>(graph_, lowered_, dim_, memory, compare);
  }

 private:
  int dim_;
  workloads::QuantisedGraph graph_;
  workloads::Lowered lowered_;
};

void refuse(bool given, const char* option) {
  if (given) throw ConfigError(fmt::format("{}: a layer graph has no such size; write it into the file", option));
}

}  // namespace

std::unique_ptr<Workload> make_graph_workload(const WorkloadRequest& request, const kernels::Target& target,
                                              const std::function<void(const std::string&)>& progress) {
  refuse(request.layers != 0, "--layers");
  refuse(request.batch > 1, "--batch");
  refuse(request.generate != 0, "--generate");
  if (!request.tokens.empty()) throw ConfigError("--tokens: a layer graph reads no tokens");
  if (request.language_head) throw ConfigError("--head: a layer graph has no language-model head");
  if (!request.input.empty()) throw ConfigError("--input: a layer graph makes its own input; see `seed` in the file");
  progress("quantising and lowering");
  return std::make_unique<GraphWorkload>(request, target);
}

}  // namespace systole::run
