#include <gtest/gtest.h>

#include "hw/ports/array_writes.h"

namespace systole::hw {
namespace {

constexpr Cycle kLatency = 2;

class Source final : public ArrayWriteRuns::Source {
 public:
  void settle(Cycle now) override { settled_at = now; }
  void fall_back(Cycle now) override { fell_back_at = now; }
  Cycle settled_at = kNever;
  Cycle fell_back_at = kNever;
};

ArrayWriteRun run_of(Cycle first, std::uint32_t count, std::uint32_t row, bool accumulate = true, std::uint32_t stride = 1) {
  ArrayWriteRun run;
  run.first = first;
  run.count = count;
  run.row = row;
  run.stride = stride;
  run.accumulate = accumulate;
  return run;
}

class ArrayWriteRunsTest : public testing::Test {
 protected:
  ArrayWriteRunsTest() { runs.bind_source(source); }
  bool announce(const ArrayWriteRun& run) {
    if (!runs.may_announce(run)) return false;
    runs.next() = run;
    runs.announce();
    return true;
  }
  ArrayWriteRuns runs{kLatency, 2};
  Source source;
};

TEST_F(ArrayWriteRunsTest, rows_are_found_in_their_cycles) {
  ASSERT_TRUE(announce(run_of(100, 4, 32, true, 2)));
  EXPECT_FALSE(runs.row_in(99));
  EXPECT_EQ(runs.row_in(100), 32u);
  EXPECT_EQ(runs.row_in(103), 38u);
  EXPECT_FALSE(runs.row_in(104));
  EXPECT_TRUE(runs.accumulates_in(103));
}

TEST_F(ArrayWriteRunsTest, a_row_is_in_flight_for_the_latency_behind_its_write) {
  ASSERT_TRUE(announce(run_of(100, 4, 32)));
  EXPECT_FALSE(runs.in_flight(33, 101));
  EXPECT_TRUE(runs.in_flight(33, 102));
  EXPECT_TRUE(runs.in_flight(33, 103));
  EXPECT_FALSE(runs.in_flight(33, 104));
  EXPECT_FALSE(runs.in_flight(40, 102));
}

TEST_F(ArrayWriteRunsTest, sums_into_rows_under_way_are_not_announced) {
  ASSERT_TRUE(announce(run_of(100, 4, 32)));
  EXPECT_TRUE(runs.may_announce(run_of(104, 4, 32)));    // every row four cycles behind its own
  EXPECT_FALSE(runs.may_announce(run_of(104, 4, 34)));   // row 35 would come one cycle behind itself
  EXPECT_TRUE(runs.may_announce(run_of(104, 4, 35, false)));
}

TEST_F(ArrayWriteRunsTest, single_writes_keep_only_their_own_rows_from_being_announced) {
  runs.note_write(99, 32);
  EXPECT_FALSE(runs.may_announce(run_of(100, 4, 32)));
  EXPECT_TRUE(runs.may_announce(run_of(100, 4, 30)));    // row 32 three cycles later
  EXPECT_TRUE(runs.may_announce(run_of(100, 4, 40)));
}

TEST_F(ArrayWriteRunsTest, a_write_to_a_row_still_to_come_ends_the_run) {
  ASSERT_TRUE(announce(run_of(100, 8, 32)));
  runs.note_write(101, 50);
  EXPECT_EQ(source.fell_back_at, kNever);
  runs.note_write(102, 36);
  EXPECT_EQ(source.fell_back_at, 102u);
  EXPECT_EQ(runs.row_in(102), 34u);
  EXPECT_FALSE(runs.row_in(103));
}

TEST_F(ArrayWriteRunsTest, values_are_settled_for_who_looks_at_a_row_of_the_run) {
  ASSERT_TRUE(announce(run_of(100, 8, 32)));
  runs.settle(103, 60);
  EXPECT_EQ(source.settled_at, kNever);
  runs.settle(103, 33);
  EXPECT_EQ(source.settled_at, 103u);
}

}  // namespace
}  // namespace systole::hw
