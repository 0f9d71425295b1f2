#include "isa/legality.h"

#include <gtest/gtest.h>

#include "isa/assembler.h"
#include "isa/geometry.h"
#include "sim/base/errors.h"

namespace systole::isa {
namespace {

// The findings of a program on the reference machine with normaliser, without their instruction.
std::vector<std::string> findings(const std::string& text, Geometry geometry = {}) {
  geometry.normaliser = true;
  std::vector<std::string> result;
  for (const Finding& finding : check_legality(assemble(text + ".fence\n", "p.s"), geometry)) {
    result.push_back(std::string(finding.severity == Finding::Severity::kError ? "error: " : "warning: ") +
                     finding.what);
  }
  return result;
}
using Findings = std::vector<std::string>;

const std::string kLoad = "config_ld scale=1f stride=64 block_stride=16\n";
const std::string kWs = "config_ex dataflow=1 a_stride=1 c_stride=1\n";
const std::string kOs = "config_ex a_stride=1 c_stride=1\n";

TEST(Legality, a_plain_program_has_no_finding) {
  EXPECT_EQ(findings(kLoad + kWs +
                     "mvin dram=0x80001000 cols=64 rows=16\npreload local=0x10 cols=16 rows=16 out_local=0x80000000 "
                     "out_cols=16 out_rows=16\n"
                     "compute_flip a_cols=16 a_rows=16 b_local=garbage\nconfig_st stride=16 acc_scale=1f\nmvout "
                     "dram=0x80002000 local=0x80000000 cols=16 rows=16\n"),
            Findings{});
}

TEST(Legality, loads) {
  EXPECT_EQ(findings("mvin dram=0x80001000 cols=4 rows=1\n"),
            Findings{"error: load state 0 is used before its config_ld"});
  EXPECT_EQ(findings("config_ld state=3 scale=1f\n"), Findings{"error: load state 3 of 3"});
  EXPECT_EQ(findings(kLoad + "mvin dram=0x80001000 cols=4 rows=17\n"), Findings{"error: 17 rows; 1..16 are possible"});
  EXPECT_EQ(findings(kLoad + "mvin dram=0x80001000 cols=65 rows=1\n"),
            Findings{"error: 65 columns; 1..64 are possible"});
  EXPECT_EQ(findings(kLoad + "mvin dram=0x80001000 local=0x80000000 cols=17 rows=1\n"),
            Findings{"error: 17 columns; 1..16 are possible"});
  EXPECT_EQ(findings(kLoad + "mvin dram=0x80001000 local=0x3ff8 cols=4 rows=16\n"),
            Findings{"error: destination: rows 16376..16391 of the scratchpad, which has 16384"});
  EXPECT_EQ(findings(kLoad + "mvin dram=0x80001000 local=0x80000400 cols=4 rows=1\n"),
            Findings{"error: destination: rows 1024..1024 of the accumulator, which has 1024"});
  EXPECT_EQ(findings(kLoad + "mvin dram=0x80001000 local=0x00100000 cols=4 rows=1\n"),
            Findings{"warning: destination: address bits 0x100000 above the 14-bit row number are not decoded"});
  EXPECT_EQ(findings(kLoad + "mvin dram=0x1000 cols=4 rows=1\n"),
            Findings{"error: source: 4 bytes at 0x1000 lie outside of main memory"});
  EXPECT_EQ(findings("config_ld scale=1f stride=64 block_stride=8\nmvin dram=0x80001000 cols=32 rows=16\n"),
            Findings{"error: 16 rows with a block stride of 8: the tiles overlap"});
}

TEST(Legality, execute) {
  EXPECT_EQ(
      findings(
          "preload local=0x10 cols=16 rows=16 out_local=garbage\ncompute_flip a_cols=1 a_rows=1 b_local=garbage\n"),
      Findings{"error: the array is used before its config_ex"});
  EXPECT_EQ(findings(kWs + "preload local=0x80000000 cols=16 rows=16 out_local=garbage\ncompute_flip a_cols=1 a_rows=1 "
                           "b_local=garbage\n"),
            Findings{"error: operand of the preload lies in the accumulator: the machine would hang"});
  EXPECT_EQ(findings(kWs + "compute_flip a_cols=1 a_rows=1 b_local=garbage\n"),
            Findings{"error: compute without a preload before it"});
  EXPECT_EQ(findings(kWs + "preload local=garbage out_local=garbage\ncompute_flip a_cols=1 a_rows=1 b_local=garbage\n"),
            Findings{"error: flips to weights that no preload has brought"});
  EXPECT_EQ(
      findings(
          kOs +
          "preload local=garbage out_local=garbage\ncompute_flip a_local=garbage a_cols=1 a_rows=1 b_local=garbage\n"),
      Findings{"error: operand A is absent: the machine would use stale data"});
  EXPECT_EQ(findings(kWs + "preload local=0 cols=4 rows=4 out_local=0x80000000 out_cols=4 out_rows=9\ncompute_flip "
                           "a_cols=4 a_rows=4 b_local=garbage\n"),
            Findings{"error: 9 rows of results of 4 rows of operands"});
  EXPECT_EQ(findings("config_ex dataflow=1 a_transpose=1 b_transpose=1 a_stride=1 c_stride=1\n"),
            Findings{"error: both operands need the one transposer"});
  EXPECT_EQ(findings(kWs + "preload local=0 cols=4 rows=4 out_local=garbage\n"),
            Findings{"warning: the last preload has no compute"});
}

TEST(Legality, stores_and_normaliser) {
  const std::string config = "config_st stride=16 acc_scale=1f\n";
  EXPECT_EQ(findings("mvout dram=0x80002000 local=0x80000000 cols=4 rows=4\n"),
            Findings{"warning: a store before the first config_st: stride and scale are 0"});
  EXPECT_EQ(findings(config + "mvout dram=0x80002000 local=0xa0000000 cols=17 rows=4\n"),
            Findings{"error: 17 columns; 1..16 are possible"});
  EXPECT_EQ(findings(config + "mvout dram=0x80002000 local=0x800003ff cols=4 rows=4\n"),
            Findings{"error: source: rows 1023..1026 of the accumulator, which has 1024"});
  EXPECT_EQ(findings("config_norm stats_id=2\n"), Findings{"error: statistics id 2 of 2"});
  EXPECT_EQ(findings("config_norm ext_select=1 q_const=3\n"),
            Findings{"error: this machine does not have the extension of register 1"});
  EXPECT_EQ(findings("config_st stride=16 pool_stride=1\n"),
            Findings{"error: max-pooling with an empty window or output"});
}

TEST(Legality, loops) {
  const auto loop = [](const std::string& bounds, const std::string& run = "") {
    return kWs + "loop_ws_bounds " + bounds + "\nloop_ws " + run + "\n";
  };
  EXPECT_EQ(findings(loop("max_i=2 max_j=2 max_k=2")), Findings{});
  EXPECT_EQ(findings(loop("max_i=2 max_j=2")),
            Findings{"error: loop over 0 tiles (each of the two loop slots keeps its own configuration)"});
  EXPECT_EQ(findings(loop("max_i=2 max_j=2 max_k=2") + "loop_ws\n"),
            Findings{"error: loop over 0 tiles (each of the two loop slots keeps its own configuration)"});
  EXPECT_EQ(findings(loop("max_i=8 max_j=8 max_k=1")),
            Findings{"error: 1024 rows of results; half of the accumulator has 512"});
  EXPECT_EQ(findings(loop("max_i=4 max_j=4 max_k=100")),
            Findings{"error: 12800 rows of operands; half of the scratchpad has 8192"});
  EXPECT_EQ(findings(loop("max_i=1 max_j=1 max_k=1 pad_i=16")),
            Findings{"error: a padding of 16 rows or columns; at most 15"});
  EXPECT_EQ(findings(loop("max_i=1 max_j=1 max_k=1", "activation=2 full_c=1")),
            Findings{"error: LayerNorm or softmax with full-width results"});
}

TEST(Legality, unknown_functs_and_the_missing_fence) {
  EXPECT_EQ(findings("rocc funct=23\n"), Findings{"error: unknown funct 23 in revision 2023"});
  const Program program = assemble("config_ex\n", "p.s");
  const std::vector<Finding> found = check_legality(program, Geometry{});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(to_string(found[0]),
            "item 1: warning: the program does not end with a fence: its results may still be on their way");
}

TEST(Legality, the_number_of_findings_is_limited) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "rocc funct=99\n";
  EXPECT_EQ(check_legality(assemble(text, "p.s"), Geometry{}, {}, 7).size(), 7u);
}

TEST(Geometry, refuses_shapes_that_cannot_be) {
  const auto invalid = [](void (*change)(Geometry&)) {
    Geometry geometry;
    change(geometry);
    EXPECT_THROW(geometry.validate(), ConfigError);
  };
  invalid([](Geometry& g) { g.dim = 12; });
  invalid([](Geometry& g) { g.scratchpad_kib = 3; });
  invalid([](Geometry& g) {
    g.scratchpad_kib = 1;
    g.dim = 64;
  });
  invalid([](Geometry& g) {
    g.accumulator_kib = 1;
    g.dim = 16;
  });
  invalid([](Geometry& g) { g.max_request_bytes = 48; });
  invalid([](Geometry& g) { g.revision = 2024; });
  invalid([](Geometry& g) { g.stats_ids = 0; });
}

TEST(Geometry, derives_widths_of_the_reference_machine) {
  const Geometry geometry;
  EXPECT_EQ(geometry.scratchpad_rows(), 16384);
  EXPECT_EQ(geometry.accumulator_rows(), 1024);
  EXPECT_EQ(geometry.row_bits(), 14);
  EXPECT_EQ(geometry.rows_bits(), 5);
  EXPECT_EQ(geometry.cols_bits(), 7);
  EXPECT_EQ(geometry.max_blocks(), 4);
  EXPECT_EQ(geometry.max_blocks_full(), 1);
}

}  // namespace
}  // namespace systole::isa
