#pragma once
// What to run: a workload on a machine.
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/target.h"
#include "sim/config/machine_config.h"
#include "sim/run/token_input.h"

namespace systole::run {

// A workload and its sizes. 0 means "the workload's own".
struct WorkloadRequest {
  std::string name;             // known model, layer graph (YAML), checkpoint directory or quantised model (safetensors)
  std::uint64_t seq = 0;        // rows of the input
  std::uint64_t layers = 0;
  std::uint64_t batch = 0;      // independent sequences; 0: as many as the input has, or 1
  std::uint64_t generate = 0;   // decoder: tokens after the prompt
  std::uint64_t seed = 1;       // of random weights and input
  std::string input;            // file with the input: token ids, or tensors (safetensors); empty: random
  std::vector<TokenSequence> tokens;   // the input itself; empty: random
  bool language_head = false;   // logits of every row; with `generate`, those of the last rows come anyway
  bool no_language_head = false;       // not even with `generate`: then tokens are random
  kernels::Tiler tiler = kernels::Tiler::kSearch;
};

}  // namespace systole::run
