#include "sim/stats/ledger.h"

#include <gtest/gtest.h>

namespace systole {
namespace {

TEST(LedgerTest, states_of_cycles_to_come_are_counted_unless_another_is_entered) {
  Ledger ledger("unit", {{"idle", StateKind::kIdle, ""}, {"busy", StateKind::kBusy, ""}, {"wait", StateKind::kStall, ""}});
  ledger.enter(10, 1u);
  ledger.enter_later(14, 0u);
  EXPECT_EQ(ledger.totals(12), (std::vector<std::uint64_t>{10, 2, 0}));
  EXPECT_EQ(ledger.totals(20), (std::vector<std::uint64_t>{16, 4, 0}));
  ledger.enter(12, 2u);   // before it comes
  EXPECT_EQ(ledger.totals(20), (std::vector<std::uint64_t>{10, 2, 8}));
  ledger.enter_later(15, 0u);
  ledger.enter(18, 1u);   // behind it
  EXPECT_EQ(ledger.totals(20), (std::vector<std::uint64_t>{13, 4, 3}));
}

TEST(LedgerTest, totals_of_a_moment_before_the_last_changes) {
  Ledger ledger("unit", {{"idle", StateKind::kIdle, ""}, {"busy", StateKind::kBusy, ""}, {"wait", StateKind::kStall, ""}});
  ledger.enter(10, 1u);
  ledger.enter(11, 2u);
  ledger.enter(12, 0u);
  EXPECT_EQ(ledger.totals(10), (std::vector<std::uint64_t>{10, 0, 0}));
  EXPECT_EQ(ledger.totals(11), (std::vector<std::uint64_t>{10, 1, 0}));
  EXPECT_EQ(ledger.totals(12), (std::vector<std::uint64_t>{10, 1, 1}));
}

}  // namespace
}  // namespace systole
