#include <random>
#include <vector>

#include "kernels/allocate.h"
#include "kernels/matmul.h"
#include "sim/run/target.h"
#include "tests/bench/simulator/yardsticks.h"

namespace systole::bench {

isa::Program gemm_program(const config::MachineConfig& machine) {
  constexpr std::uint64_t kM = 512, kN = 768, kK = 768;
  const kernels::Target target = run::target_of(machine.params);
  isa::Program program;
  kernels::Allocator memory(program, target.dim);
  std::mt19937 random(1);
  std::vector<std::int8_t> a(kM * kK), b(kK * kN);
  std::vector<std::int32_t> bias(kN);
  for (std::int8_t& value : a) value = static_cast<std::int8_t>(random());
  for (std::int8_t& value : b) value = static_cast<std::int8_t>(random());
  for (std::int32_t& value : bias) value = static_cast<std::int32_t>(random() % 20000) - 10000;
  const kernels::Matrix left = memory.matrix("a", kM, kK, a.data());
  kernels::MatmulBranch branch;
  branch.b = memory.matrix("b", kK, kN, b.data());
  branch.d = memory.repeated_row("bias", kN, bias.data());
  branch.c = memory.matrix("c", kM, kN, kernels::Element::kInt8);
  branch.store.scale = 0.001f;
  kernels::Builder builder(target, program);
  builder.region("gemm", kGemmMacs);
  kernels::matmul(builder, left, false, {branch});
  builder.fence();
  return program;
}

}  // namespace systole::bench
