// Reduction trees of any width give the same bits, those of the oracle, which has none; only the cycles differ.
#include "tests/module/sfu/programs.h"

namespace systole::test {
namespace {

void narrower_trees_only_take_longer(const std::string& passes) {
  const std::string program = kLoadWords + passes;
  const Outcome whole_row = run_program("", words(-3000, 3000), program);
  EXPECT_EQ(whole_row.memory, whole_row.oracle_memory);
  std::uint64_t cycles = whole_row.cycles;
  for (const char* lanes : {"8", "4", "2", "1"}) {
    const Outcome narrower = run_program(std::string("sfu.lanes=") + lanes, words(-3000, 3000), program);
    EXPECT_EQ(narrower.memory, whole_row.memory) << lanes;
    EXPECT_GT(narrower.cycles, cycles) << lanes;
    cycles = narrower.cycles;
  }
}

TEST(Lanes, sums_and_squares_of_layer_norm) { narrower_trees_only_take_longer(layer_norm()); }
TEST(Lanes, maxima_and_sums_of_exponentials) { narrower_trees_only_take_longer(softmax(1353, 959832)); }

}  // namespace
}  // namespace systole::test
