#pragma once
// Follows the run of a Transformer: only tensors that are alive are in memory, and each one is compared with the integer reference, which
// computes beside the run, when the program has used it for the last time.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/run/follower.h"
#include "sim/run/live_memory.h"
#include "sim/run/model_input.h"
#include "workloads/lower/lowered.h"
#include "workloads/quantise/accuracy.h"
#include "workloads/reference/boundary_stream.h"

namespace systole::run {

class ModelFollower final : public Follower {
 public:
  struct Options {
    bool compare = true;
    bool against_float = true;   // where there is a float model
    bool overflows = true;       // count those of the reference
    workloads::reference::EvaluateOptions reference;
  };
  // Everything must outlive this object.
  ModelFollower(const ModelInput& input, const workloads::Lowered& lowered, int dim, Memory& memory, const Options& options);

  void at_fence(std::size_t next) override;
  [[nodiscard]] CheckResult finish() override;

 private:
  // One item of the batch.
  struct Sequence {
    std::size_t number = 0;
    std::unique_ptr<workloads::reference::BoundaryStream> expected;
    std::optional<workloads::reference::BoundaryStream::Item> next;   // in order of computation
    std::optional<workloads::FloatComparison> against_float;
    std::map<std::string, std::vector<std::uint64_t>> places;         // of tensors in memory that have not been compared: a word of each slice
    CheckResult result;
  };

  void begin();
  // Compares what is final, in order of computation.
  void compare_final(Sequence& sequence, bool all);
  void compare(Sequence& sequence);

  const ModelInput& input_;
  const workloads::Lowered& lowered_;
  const int dim_;
  Memory& memory_;
  const Options options_;
  LiveMemory live_;
  std::vector<Sequence> sequences_;
};

}  // namespace systole::run
