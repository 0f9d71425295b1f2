#pragma once
// A quick estimate of a Transformer's time on an accelerator: the analytical model of section 3.3 and figure 11 of
// "Full Stack Optimization of Transformer Inference: a Survey" (arXiv 2302.14017). No machine is simulated.
//
// An operator takes as long as the slower of its arithmetic and its memory traffic; nothing is fused, so every operator
// reads its inputs from DRAM and writes its result there, with 32 bits per element in front of a non-linear operation.
#include <cstdint>
#include <string>
#include <vector>

#include "workloads/estimate/operation_counts.h"

namespace systole::workloads {

// Figure 11.
struct AnalyticalMachine {
  std::uint64_t array = 16;  // W: rows and columns of the array; a W x W tile of weights takes W cycles per W rows
  std::uint64_t sfu = 16;    // elements per cycle of the unit for non-linear operations
  std::uint64_t accumulator_bytes = 128 * 1024;
  std::uint64_t l2_bytes = 2 * 1024 * 1024;
  double dram_bytes_per_cycle = 64;
  double local_bytes_per_cycle = 16;
};

struct OperatorEstimate {
  std::string name;  // "W_QKV" "QxK" "AxV" "W_out" "W_1" "W_2" "softmax" "GELU" "LayerNorm" "residual"
  bool matmul = false;
  double macs = 0;
  double flops = 0;
  double dram_bytes = 0;
  double local_bytes = 0;  // between the L2 and the local memories
  double compute_cycles = 0;
  double memory_cycles = 0;  // DRAM and local traffic one after the other: only so do the survey's ratios come out
  double cycles = 0;         // the larger of both, operation by operation

  [[nodiscard]] double intensity() const { return flops / dram_bytes; }  // the survey's "non-ideal" one
};

struct TransformerEstimate {
  std::vector<OperatorEstimate> operators;
  [[nodiscard]] double cycles() const;
  [[nodiscard]] double macs() const;
  [[nodiscard]] double dram_bytes() const;
  [[nodiscard]] double intensity() const;
  [[nodiscard]] const OperatorEstimate& find(const std::string& name) const;  // throws ConfigError
};

// The whole model; a decoder makes `seq` tokens one by one. Throws ConfigError for a size or a machine of 0.
[[nodiscard]] TransformerEstimate estimate_transformer(const TransformerShape& shape, std::uint64_t seq,
                                                       const AnalyticalMachine& machine = {});

}  // namespace systole::workloads
