// Stored models, lowered and run on the functional oracle: every stored boundary must be equal bit by bit.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/workload/oracle.h"
#include "workloads/weights/safetensors.h"

namespace systole::workloads {
namespace {

struct Case {
  const char* file;
  std::size_t boundaries;
};

class Vectors : public ::testing::TestWithParam<Case> {};

kernels::Target with_dim(int dim) {
  kernels::Target target;
  target.dim = dim;
  target.scratchpad_rows = static_cast<std::uint32_t>(256 * 1024 / dim);
  target.accumulator_rows = static_cast<std::uint32_t>(64 * 1024 / (4 * dim));
  return target;
}

TEST_P(Vectors, every_boundary_is_equal_on_every_array_size) {
  for (const int dim : {16, 4, 8, 32}) {
    const kernels::Target target = with_dim(dim);
    isa::Overflows overflows;
    const Comparison c = validate_vectors(SafetensorsFile(std::string(SYSTOLE_TEST_DATA "/numerics/") + GetParam().file), target, oracle(target, &overflows));
    EXPECT_TRUE(c.equal()) << "dim " << dim << ": " << c.different << " of " << c.boundaries << " differ; " << describe(*c.first);
    EXPECT_EQ(c.boundaries, GetParam().boundaries);
    EXPECT_TRUE(c.unseen.empty()) << c.unseen[0];
    EXPECT_EQ(overflows.gelu + overflows.exp_sum + overflows.variance + overflows.accumulate + overflows.array, 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Stored, Vectors,
                         ::testing::Values(Case{"bert_tiny.safetensors", 28}, Case{"bert_tiny_fold.safetensors", 28},
                                           Case{"gpt2_tiny.safetensors", 28}, Case{"xattn_odd.safetensors", 8}, Case{"random_bert_mask.safetensors", 27},
                                           Case{"random_bert_fold.safetensors", 27}, Case{"random_gpt2.safetensors", 29},
                                           Case{"random_encdec.safetensors", 38}),
                         [](const auto& info) { return std::string(info.param.file).substr(0, std::string(info.param.file).find('.')); });

}  // namespace
}  // namespace systole::workloads
