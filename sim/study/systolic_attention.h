#pragma once
// One attention head on the systolic machine: the numbers of workloads/streaming/data.h quantised to int8, the kernel library's
// attention, simulated with values.
#include <cstddef>
#include <cstdint>

#include "sim/config/machine_config.h"
#include "workloads/streaming/published.h"

namespace systole::study {

// softmax(Q K^T / sqrt(dim)) V for the same Q, K, V (`seed`) that the streaming graphs get. Runs in a process of its own.
// Throws ConfigError when the machine cannot run it.
[[nodiscard]] workloads::SystolicAttention systolic_attention(std::uint64_t rows, std::size_t dim, std::uint64_t seed,
                                                              const config::MachineConfig& machine);

}  // namespace systole::study
