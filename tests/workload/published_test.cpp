// Layers recorded from the published software: our emission is equal in every command, fence and region.
#include <gtest/gtest.h>

#include <map>

#include "isa/instruction.h"
#include "isa/trace.h"
#include "sim/base/errors.h"
#include "workloads/lower/published.h"

namespace systole::workloads {
namespace {

struct Case {
  const char* name;
  PublishedLayer layer;
  std::uint32_t accumulator_rows = 1024, scratchpad_rows = 16384;
};

PublishedLayer layer(std::uint64_t hidden, std::uint64_t expansion, std::uint64_t heads, std::uint64_t rows, float projection, float context,
                     float gelu_unit, float gelu_scale) {
  PublishedLayer l;
  l.hidden = hidden, l.expansion = expansion, l.heads = heads, l.rows = rows;
  l.self.projection = projection, l.self.context = context, l.gelu_unit = gelu_unit, l.gelu_scale = gelu_scale;
  return l;
}

PublishedLayer fused(PublishedLayer l) {
  l.fused_norm = true;
  return l;
}

PublishedLayer with_cache(PublishedLayer l, std::uint64_t cached) {
  l.cached = cached;
  return l;
}

PublishedLayer with_cross(PublishedLayer l, std::uint64_t keys) {
  l.cross_keys = keys;
  l.cross = l.self;
  l.cross.softmax_unit = 0.0006f;
  l.cross.context = 0.0133582428f;
  return l;
}

std::vector<std::string> lines(const isa::Program& program) {
  std::vector<std::string> result;
  for (const isa::Item& item : program.items) {
    switch (item.kind) {
      case isa::ItemKind::kCommand:
        result.push_back(isa::disassemble(item.instruction));
        break;
      case isa::ItemKind::kFence:
        result.push_back("fence");
        break;
      case isa::ItemKind::kRegion:
        result.push_back("region " + program.regions[item.value].name);
        break;
      case isa::ItemKind::kGap:
      case isa::ItemKind::kHostOp:
        result.push_back("other");
        break;
    }
  }
  return result;
}

class PublishedLayers : public ::testing::TestWithParam<Case> {};

TEST_P(PublishedLayers, equal_the_recorded_program) {
  const Case& c = GetParam();
  const isa::Trace trace = isa::read_trace(std::string(SYSTOLE_TEST_DATA "/kernels/") + c.name + ".trace.gz");
  std::map<std::string, std::uint64_t> addresses;
  for (const isa::Symbol& s : trace.program.symbols) addresses[s.name] = s.address;
  kernels::Target target;
  target.accumulator_rows = c.accumulator_rows;
  target.scratchpad_rows = c.scratchpad_rows;
  const std::vector<std::string> ours = lines(published_layer(c.layer, target, addresses));
  const std::vector<std::string> theirs = lines(trace.program);
  for (std::size_t n = 0; n < std::min(ours.size(), theirs.size()); ++n) {
    ASSERT_EQ(ours[n], theirs[n]) << "item " << n;
  }
  EXPECT_EQ(ours.size(), theirs.size());
}

INSTANTIATE_TEST_SUITE_P(
    Recorded, PublishedLayers,
    ::testing::Values(
        Case{"l_enc_tiny_a", layer(64, 256, 4, 32, 0.250557423f, 0.00597398775f, 0.0150120147f, -2.79155415e-06f)},
        Case{"l_enc_odd", layer(200, 360, 5, 37, 0.112719029f, 0.00807746686f, 0.0084920777f, -5.05325261e-07f)},
        Case{"l256_enc_small_lnfused", fused(layer(256, 1024, 4, 64, 0.0885854214f, 0.0119479755f, 0.00750600733f, -3.48944269e-07f)), 4096, 4096},
        Case{"l_dec_small", with_cross(layer(256, 1024, 4, 48, 0.0885854214f, 0.0103472499f, 0.00750600733f, -3.48944269e-07f), 80)},
        Case{"l_gpt_step", with_cache(layer(256, 1024, 4, 1, 0.0905711055f, 0.0147092389f, 0.00750600733f, -3.48944269e-07f), 96)},
        Case{"l_enc_base_128", layer(768, 3072, 12, 128, 0.0511448197f, 0.0168969892f, 0.00433359528f, -6.71543603e-08f)}),
    [](const auto& info) { return info.param.name; });

TEST(PublishedLayer, refuses_what_the_library_refuses) {
  PublishedLayer l;
  l.fused_norm = true;
  EXPECT_THROW((void)published_layer(l, kernels::Target{}), ConfigError);  // 768 columns in half of 1024 rows
  kernels::Target plain;
  plain.normaliser = false;
  EXPECT_THROW((void)published_layer(PublishedLayer{}, plain), ConfigError);
}

}  // namespace
}  // namespace systole::workloads
