#pragma once
// Stored results of single operations of the machine (a file with metadata arch = units): products, scaling, LayerNorm and softmax of given
// operands, as a program that computes each of them with instructions.
//   gemm.{A, B, D} -> gemm.C              scale.x times each scale.s -> scale.y8, scale.y32        mvin.x times each scale.s -> mvin.y
//   ln.N.x -> ln.N.y, .ywide (64-bit sums), .yaff (gamma .g and beta .b; 64-bit sums and a pre-shift of 3, but not in set 3, which overflows on
//   purpose); scale 16                    sm.N.x with constants .c -> sm.N.y, .exp8 (largest exponential 127)
#include "kernels/target.h"
#include "workloads/lower/lowered.h"
#include "workloads/quantise/quantised_model.h"
#include "workloads/weights/safetensors.h"

namespace systole::workloads {

[[nodiscard]] bool holds_units(const SafetensorsFile& file);

struct UnitProgram {
  Lowered lowered;
  TensorMap expected;
  // Rows of scale.y32 for a scale of 1, which the program leaves out: the machine does not scale by 1 then, nor rounds to fp32.
  std::vector<kernels::Matrix> unscaled;
};

// Throws ConfigError: a tensor is missing or of another type or shape, the machine lacks a function (naming the parameter).
[[nodiscard]] UnitProgram lower_units(const SafetensorsFile& file, const kernels::Target& target);

}  // namespace systole::workloads
