#pragma once
// What to run: a workload on a machine.
#include <cstdint>
#include <string>

#include "kernels/target.h"
#include "sim/config/machine_config.h"

namespace systole::run {

// A workload and its sizes. 0 means "the workload's own".
struct WorkloadRequest {
  std::string name;             // known model, layer graph (YAML) or checkpoint directory
  std::uint64_t seq = 0;        // rows of the input
  std::uint64_t layers = 0;
  std::uint64_t batch = 1;      // independent sequences
  std::uint64_t generate = 0;   // decoder: tokens after the prompt
  std::uint64_t seed = 1;       // of random weights and input
  std::string input;            // file with the input; empty: random
  kernels::Tiler tiler = kernels::Tiler::kSearch;
};

}  // namespace systole::run
