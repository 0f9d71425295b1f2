#pragma once
// A workload that is ready to run: its program, and the comparison of what the program leaves in memory.
#include <functional>
#include <memory>
#include <string>

#include "isa/program.h"
#include "kernels/target.h"
#include "sim/base/memory.h"
#include "sim/config/machine_config.h"
#include "sim/run/follower.h"
#include "sim/run/request.h"
#include "sim/run/results.h"

namespace systole::run {

class Workload {
 public:
  virtual ~Workload() = default;

  [[nodiscard]] virtual std::uint64_t seq() const = 0;
  [[nodiscard]] virtual std::uint64_t layers() const = 0;

  // Forgets all values: program() has no image any more, and there is nothing to check.
  virtual void drop_values() {}

  // The program whose cycles count.
  [[nodiscard]] virtual const isa::Program& program() const = 0;
  // What the model says, read from the memory that a run with values leaves.
  [[nodiscard]] virtual std::vector<SequenceTokens> tokens(const Memory&) const { return {}; }
  // Remarks about the input, before anything runs.
  [[nodiscard]] virtual std::vector<std::string> warnings() const { return {}; }
  // For a run with values in this memory, new: everything that the program leaves there is compared if wanted, and the output with the float
  // model where there is one.
  [[nodiscard]] virtual std::unique_ptr<Follower> follow(Memory& memory, bool compare) const = 0;

  // The comparison is with isa/model, so the values compared must be those of the machine.
  [[nodiscard]] virtual bool compares_with_functional_model() const { return false; }

  // A second program of the same model that also stores the tensors which otherwise never leave the accumulator; for values, not for time.
  [[nodiscard]] virtual bool has_hidden_boundaries() const { return false; }
  using Simulate = std::function<void(const isa::Program& program, Memory& memory, Follower& follower)>;
  // Runs it and compares those tensors.
  [[nodiscard]] virtual CheckResult check_hidden(const Simulate& simulate) const;
};

// Builds the workload that the request names: a known model, a layer graph (YAML), or a program (.s, .systole). Throws ConfigError; ModelError for
// a program that the machine cannot execute. `values`: false when nobody will look at values. `progress` is told what takes time.
[[nodiscard]] std::unique_ptr<Workload> make_workload(const WorkloadRequest& request, const config::MachineConfig& machine, bool values, unsigned threads,
                                                      const std::function<void(const std::string&)>& progress);

// The three kinds.
[[nodiscard]] std::unique_ptr<Workload> make_model_workload(const WorkloadRequest& request, const kernels::Target& target, bool values, unsigned threads,
                                                            const std::function<void(const std::string&)>& progress);
[[nodiscard]] std::unique_ptr<Workload> make_graph_workload(const WorkloadRequest& request, const kernels::Target& target,
                                                            const std::function<void(const std::string&)>& progress);
[[nodiscard]] bool is_program(const std::string& name);
[[nodiscard]] std::unique_ptr<Workload> make_program_workload(const WorkloadRequest& request, const config::MachineConfig& machine);

}  // namespace systole::run
