// What goes along with a run: every tensor is compared when the program is done with it, and a wrong one is named.
#include "sim/run/model_follower.h"

#include <gtest/gtest.h>

#include "isa/model/model.h"
#include "tests/workload/oracle.h"
#include "workloads/lower/lower.h"

namespace systole::run {
namespace {

struct Walk {
  ModelInput input;
  kernels::Target target;
  workloads::Lowered lowered;
  Memory memory;

  explicit Walk(const char* vectors, const char* first) {
    workloads::QuantisedFile file = workloads::load_quantised_file(std::string(SYSTOLE_TEST_DATA) + "/numerics/" + vectors);
    input.model = std::move(file.model);
    input.inputs = {{{first, file.vectors.at(first)}}};
    workloads::LowerOptions options;
    options.store_all_boundaries = options.borrow_weights = true;
    lowered = workloads::lower(input.model, input.inputs, target, options);
  }

  [[nodiscard]] std::uint64_t address_of(const std::string& name) const {
    for (const workloads::Boundary& boundary : lowered.boundaries) {
      if (boundary.name == name) return boundary.slices.at(0).address;
    }
    return 0;
  }

  // Runs to the end; just before the follower learns that nobody needs `spoiled` any more, a byte of it is changed.
  CheckResult run(const std::string& spoiled = "") {
    ModelFollower follower(input, lowered, target.dim, memory, {});
    Memory elsewhere;
    LiveMemory lives(lowered, elsewhere);
    bool done = spoiled.empty();
    isa::Model model(workloads::geometry_of(target), memory);
    follower.at_fence(0);
    for (std::size_t n = 0; n < lowered.program.items.size(); ++n) {
      const isa::Item& item = lowered.program.items[n];
      if (item.kind == isa::ItemKind::kCommand) model.execute(item.instruction);
      if (item.kind != isa::ItemKind::kFence) continue;
      lives.advance(n + 1);
      if (!done && lives.dead(address_of(spoiled))) {
        *memory.at(address_of(spoiled), 1) ^= 1;
        done = true;
      }
      follower.at_fence(n + 1);
    }
    return follower.finish();
  }
};

TEST(ModelFollower, compares_every_tensor_that_the_program_leaves) {
  Walk walk("bert_tiny.safetensors", "act.-1.x0");
  const CheckResult result = walk.run();
  EXPECT_EQ(result.mismatches, 0u) << result.first_mismatch;
  EXPECT_EQ(result.boundaries, walk.lowered.boundaries.size());
  EXPECT_EQ(result.overflows.total(), 0u);
}

TEST(ModelFollower, leaves_no_weights_and_no_tensors_behind) {
  Walk walk("gpt2_tiny.safetensors", "act.-1.h0");
  EXPECT_EQ(walk.run().mismatches, 0u);
  ASSERT_FALSE(walk.lowered.borrowed.empty());
  for (const workloads::Borrowed& weights : walk.lowered.borrowed) {
    const std::uint8_t* bytes = walk.memory.at(weights.address, weights.bytes);
    EXPECT_TRUE(std::all_of(bytes, bytes + weights.bytes, [](std::uint8_t byte) { return byte == 0; }));
  }
  EXPECT_EQ(*walk.memory.at(walk.address_of("act.0.ln1"), 1), 0);
}

TEST(ModelFollower, names_a_wrong_element_of_any_tensor) {
  for (const char* name : {"act.-1.x0", "act.0.k", "act.0.s", "act.0.attn_acc", "act.1.ln1", "act.1.gelu", "act.1.ln2"}) {
    Walk walk("bert_tiny.safetensors", "act.-1.x0");
    const CheckResult result = walk.run(name);
    EXPECT_EQ(result.mismatches, 1u) << name;
    EXPECT_NE(result.first_mismatch.find(std::string("tensor ") + name + ",") , std::string::npos) << result.first_mismatch;
    EXPECT_NE(result.first_mismatch.find("row 0, column 0"), std::string::npos) << result.first_mismatch;
  }
}

}  // namespace
}  // namespace systole::run
