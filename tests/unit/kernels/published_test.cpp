// The builder and the published tiling together give the published library's instruction stream.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "isa/instruction.h"
#include "isa/trace.h"
#include "kernels/matmul.h"
#include "kernels/tiling/gemmini.h"

namespace systole::kernels {
namespace {

float scale_of(std::uint32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Commands of one region, without configuration: the published code repeats it for every product.
std::vector<std::string> loop_commands(const isa::Program& program, const std::string& region) {
  std::vector<std::string> result;
  bool inside = region.empty();
  for (const isa::Item& item : program.items) {
    if (item.kind == isa::ItemKind::kRegion) inside = region.empty() || program.regions[item.value].name == region;
    if (!inside || item.kind != isa::ItemKind::kCommand || item.instruction.funct == isa::fields::ConfigLd::kFunct) continue;
    result.push_back(isa::disassemble(item.instruction));
  }
  return result;
}

class PublishedLayer : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kHidden = 200, kRows = 37, kHeads = 5;
  const isa::Trace trace_ = isa::read_trace(SYSTOLE_TEST_DATA "/kernels/published_layer.trace");
  Target target_;
};

TEST_F(PublishedLayer, projections) {
  isa::Program program;
  Builder builder(target_, program);
  const Matrix x{0x80001000, kRows, kHidden, kHidden, Element::kInt8};
  MatmulBranch q;
  q.b = {0x80002ce8, kHidden, kHidden, kHidden, Element::kInt8};
  q.d = {0x80029de8, 1, kHidden, 0, Element::kInt32};
  q.c = {0x8004e5a8, kRows, kHidden, kHidden, Element::kInt8};
  q.store.scale = scale_of(0x3de6d93c);
  matmul_gemmini(builder, x, false, q, gemmini_tiling(target_, {kRows, kHidden, kHidden}));
  EXPECT_EQ(loop_commands(program, ""), loop_commands(trace_.program, "q_proj"));
}

TEST_F(PublishedLayer, scores_with_softmax) {
  isa::Program program;
  Builder builder(target_, program);
  const Matrix q{0x8004e5a8, kRows, kHidden, kHidden, Element::kInt8};
  const Matrix k{0x80050290, kRows, kHidden, kHidden, Element::kInt8};
  for (std::uint64_t h = 0; h < kHeads; ++h) {
    MatmulBranch s;
    s.b = k.block(0, h * 40, kRows, 40);
    s.c = {0x80053c60 + h * kRows * kRows, kRows, kRows, kRows, Element::kInt8};
    s.store.activation = isa::Activation::kSoftmax;
    matmul_gemmini(builder, q.block(0, h * 40, kRows, 40), true, s, gemmini_tiling(target_, {kRows, kRows, 40}, true));
  }
  EXPECT_EQ(loop_commands(program, ""), loop_commands(trace_.program, "scores_softmax"));
}

TEST_F(PublishedLayer, configuration_holds_the_same_values) {
  isa::Program program;
  Builder builder(target_, program);
  builder.execute_config({true, false, true});
  builder.store_config({37, isa::Activation::kSoftmax, 1.0f, {0x549, 0xea441, 693, 94}, 0, false});
  builder.load_config(LoadState::kA, {200, 1.0f, false});
  builder.load_config(LoadState::kB, {200, 1.0f, false});
  builder.load_config(LoadState::kD, {0, 1.0f, false});
  std::vector<std::string> ours, published;
  for (const isa::Item& item : program.items) ours.push_back(isa::disassemble(item.instruction));
  bool inside = false;
  for (const isa::Item& item : trace_.program.items) {
    if (item.kind == isa::ItemKind::kRegion) inside = trace_.program.regions[item.value].name == "scores_softmax";
    if (inside && item.kind == isa::ItemKind::kCommand && published.size() < ours.size()) {
      published.push_back(isa::disassemble(item.instruction));
    }
  }
  std::sort(ours.begin(), ours.end());
  std::sort(published.begin(), published.end());
  EXPECT_EQ(ours, published);
}

}  // namespace
}  // namespace systole::kernels
