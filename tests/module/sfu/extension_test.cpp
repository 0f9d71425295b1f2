// What the extensions E1 and E3 to E5 cost: nothing, except E3's reads of gain and bias.
#include "tests/module/sfu/programs.h"

namespace systole::test {
namespace {

using isa::NormCommand;

const char* const kAll = "sfu.pre_shift=1 sfu.layer_norm_affine=1 sfu.deferred_softmax=1 sfu.wide_variance=1";
constexpr int kBlocks = 4;

// A row of four blocks through the three passes; activation 2 is LayerNorm, 4 softmax, 5 exponentials (E4), 6 row scale (E4), 7 affine LayerNorm (E3).
std::string row(int activation, const std::string& registers, int outputs = 1) {
  const auto wide = [](NormCommand command) {
    return "mvout dram=0x80040000 local=" + std::to_string(0x80000000u | static_cast<unsigned>(command) << isa::LocalAddress::kNormCommandShift) + " cols=64 rows=1\n";
  };
  const bool exponentials = activation == 4 || activation == 5;
  const std::string msb = activation >= 4 ? "1" : "0";
  return "config_ld scale=1f stride=64\nmvin dram=0x80001000 local=0x80000000 cols=16 rows=16\nmvin dram=0x80002000 local=0x80000010 cols=16 rows=16\n"
         "mvin dram=0x80003000 local=0x80000020 cols=16 rows=16\nmvin dram=0x80004000 local=0x80000030 cols=16 rows=16\n.fence\n"
         "config_st stride=64 acc_scale=1f activation=" + std::to_string(activation & 3) + "\nconfig_norm activation_msb=" + msb + " q_const=693 qb=1353 qc=959832\n"
         "config_norm activation_msb=" + msb + " q_const_type=1 q_const=94 qb=1353 qc=959832\n" + registers + ".fence\n" +
         wide(exponentials ? NormCommand::kMax : NormCommand::kMean) + wide(exponentials ? NormCommand::kInvSumExp : NormCommand::kInvStddev) + [&] {
           std::string text;
           for (int i = 0; i < outputs; ++i) text += wide(NormCommand::kReset);
           return text;
         }();
}

std::uint64_t cycles(int activation, const std::string& registers, int outputs = 1) {
  const Outcome outcome = run_program(kAll, words(-3000, 3000), row(activation, registers, outputs));
  EXPECT_EQ(outcome.memory, outcome.oracle_memory) << registers;
  return outcome.cycles;
}

TEST(ExtensionCost, e1_shifts_in_the_path_from_the_bank) {
  EXPECT_EQ(cycles(2, "config_norm ext_select=1 q_const=3\n"), cycles(2, "config_norm ext_select=1 q_const=0\n"));
}

TEST(ExtensionCost, e3_reads_gain_and_bias_of_each_block_first) {
  const std::string at_row_256 = "config_norm ext_select=2 q_const=256\n";
  // One read a cycle: gain, bias and the block itself, for 16 outputs.
  EXPECT_EQ(cycles(7, at_row_256, 5) - cycles(7, at_row_256, 4), 3u * kBlocks);
  EXPECT_LT(cycles(2, at_row_256, 5) - cycles(2, at_row_256, 4), 3u * kBlocks);
}

TEST(ExtensionCost, e4_exponentials_take_the_cycles_of_softmax) {
  const std::string base = "config_norm ext_select=3 q_const=0\n";
  EXPECT_EQ(cycles(5, base), cycles(4, base));
}

TEST(ExtensionCost, e5_has_wider_adders_only) {
  EXPECT_EQ(cycles(2, "config_norm ext_select=4 q_const=1\n"), cycles(2, "config_norm ext_select=4 q_const=0\n"));
}

}  // namespace
}  // namespace systole::test
