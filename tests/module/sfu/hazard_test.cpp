// What the RTL's normaliser gets wrong is done likewise and reported, with both instructions.
#include "sim/base/errors.h"
#include "tests/module/sfu/programs.h"

namespace systole::test {
namespace {

using isa::NormCommand;

bool warns(const Outcome& outcome, const std::string& text) {
  for (const std::string& warning : outcome.warnings) {
    if (warning.find(text) != std::string::npos) return true;
  }
  return false;
}

std::string use(int id) { return "config_norm set_stats_id_only=1 stats_id=" + std::to_string(id) + "\n"; }

TEST(NormaliserHazard, rows_of_id_1_are_overtaken_by_rows_of_id_0) {
  const std::string first = use(1) + "config_st stride=16 acc_scale=1f\nmvout dram=0x80040000 local=0x80000000 cols=16 rows=16\n";
  const std::string second = use(0) + "mvout dram=0x80040100 local=0x80000008 cols=16 rows=8\n";
  const Outcome wrong = run_program("", words(-100, 100), kLoadWords + first + second);
  ASSERT_TRUE(warns(wrong, "leave the normaliser in front of rows of the first")) << wrong.warnings.size();
  EXPECT_TRUE(warns(wrong, "commands 4 (mvout dram=0x80040000")) << wrong.warnings[0];
  EXPECT_TRUE(warns(wrong, "and 6 (mvout dram=0x80040100")) << wrong.warnings[0];
  EXPECT_NE(wrong.memory, wrong.oracle_memory);
  const Outcome right = run_program("", words(-100, 100), kLoadWords + first + ".fence\n" + second);
  EXPECT_TRUE(right.warnings.empty());
  EXPECT_EQ(right.memory, right.oracle_memory);
}

// Two softmaxes side by side, the second with other constants.
std::string interleaved(const std::string& second_constants) {
  std::string text = std::string(kLoadWords) + "config_st stride=16 acc_scale=1f\n" + exponential_constants(1353, 959832) + use(0) + pass(NormCommand::kMax, 0) + use(1) +
                     pass(NormCommand::kMax, 1) + ".fence\n";
  // While the division of a mean keeps id 0 busy, both rows come to stand behind each other in the queue.
  return text + use(0) + pass(NormCommand::kMean, 0) + pass(NormCommand::kSumExp, 0) + second_constants + use(1) + pass(NormCommand::kSumExp, 1) + ".fence\n";
}

TEST(NormaliserHazard, exponentials_are_summed_with_the_constants_of_the_row_behind) {
  const Outcome wrong = run_program("", words(-1000, 0), interleaved(exponential_constants(2000, 500000)));
  ASSERT_FALSE(wrong.warnings.empty());
  EXPECT_TRUE(warns(wrong, "summed with the constants of the second")) << wrong.warnings[0];
  EXPECT_TRUE(run_program("", words(-1000, 0), interleaved("")).warnings.empty());
}

// Divider, root and reciprocal so fast that the second row reaches the multiplier while the first waits for its product.
TEST(NormaliserHazard, two_rows_at_the_multiplier_take_one_product) {
  const std::string fast = "sfu.multiplier_latency=12 sfu.divider_latency=4 sfu.sqrt_latency=4 sfu.reciprocal_latency=4";
  const auto rows = [](const char* scale) {
    return std::string(kLoadWords) + "config_st stride=16 activation=2 acc_scale=" + scale + "\n" + use(0) + pass(NormCommand::kMean, 0) + use(1) + pass(NormCommand::kMean, 1) + use(0) +
           pass(NormCommand::kInvStddev, 0) + use(1) + pass(NormCommand::kInvStddev, 1) + use(0) + pass(NormCommand::kReset, 0) + ".fence\n" + use(1) + pass(NormCommand::kReset, 1);
  };
  const Outcome wrong = run_program(fast, words(-1000, 1000), rows("10f"));
  ASSERT_FALSE(wrong.warnings.empty());
  EXPECT_TRUE(warns(wrong, "takes the first's product for its own")) << wrong.warnings[0];
  EXPECT_NE(wrong.memory, wrong.oracle_memory);
  const Outcome harmless = run_program(fast, words(-1000, 1000), rows("1f"));
  EXPECT_TRUE(harmless.warnings.empty());
  EXPECT_EQ(harmless.memory, harmless.oracle_memory);
  const Outcome stock = run_program("", words(-1000, 1000), rows("10f"));
  EXPECT_TRUE(stock.warnings.empty());
  EXPECT_EQ(stock.memory, stock.oracle_memory);
}

// A row of the scratchpad behind a row that waits for its statistics: the read path does not wait for it (RTL of 2023).
std::string mixed(const std::string& between) {
  return std::string(kLoadWords) + "config_ld scale=1f stride=16\nmvin dram=0x80002000 local=0 cols=16 rows=16\nconfig_st stride=16 activation=2 acc_scale=1f\n.fence\n" + use(0) +
         pass(NormCommand::kMean) + pass(NormCommand::kInvStddev) + pass(NormCommand::kReset) + between + "mvout dram=0x80040100 local=0 cols=16 rows=4\n";
}

TEST(LostRow, data_that_arrive_before_their_row_are_an_error) {
  try {
    (void)run_program("", words(-1000, 1000), mixed(""));
    FAIL() << "no error";
  } catch (const ModelError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("the RTL loses them and hangs"), std::string::npos) << text;
    EXPECT_NE(text.find("(mvout "), std::string::npos) << text;
  }
}

TEST(LostRow, a_fence_avoids_it_and_the_RTL_of_2025_waits) {
  const Outcome fenced = run_program("", words(-1000, 1000), mixed(".fence\n"));
  EXPECT_EQ(fenced.memory, fenced.oracle_memory);
  const Outcome later = run_program("revision=2025", words(-1000, 1000), mixed(""));
  EXPECT_EQ(later.memory, later.oracle_memory);
}

}  // namespace
}  // namespace systole::test
