#include "hw/execute/control_queue.h"

#include <gtest/gtest.h>

namespace systole::hw {
namespace {

constexpr unsigned kCapacity = 5;
constexpr Cycle kLatency = 5;

// A reads bank 0 in every step, D bank 1 in the last two.
ControlSegment segment(Cycle start, unsigned count) {
  ControlSegment s;
  s.start = start;
  s.count = static_cast<std::uint16_t>(count);
  s.bank[0] = 0;
  s.reads_to[0] = static_cast<std::uint16_t>(count);
  s.bank[2] = 1;
  s.reads_from[2] = static_cast<std::uint16_t>(count - 2);
  s.reads_to[2] = static_cast<std::uint16_t>(count);
  return s;
}

TEST(ControlQueue, GrowsByOneEntryPerCycle) {
  ControlQueue queue(kCapacity, kLatency);
  queue.begin(segment(10, 8));
  EXPECT_EQ(queue.front(10), nullptr);
  EXPECT_NE(queue.front(11), nullptr);
  EXPECT_EQ(queue.due(), 10 + kLatency);
  EXPECT_EQ(queue.size(13), 3u);
  EXPECT_TRUE(queue.can_push(14));
  EXPECT_FALSE(queue.can_push(15));
  queue.pop();
  EXPECT_TRUE(queue.can_push(15));
  EXPECT_EQ(queue.due(), 11 + kLatency);
}

TEST(ControlQueue, StaysEqualInSizeWhileItsHeadIsFollowed) {
  ControlQueue queue(kCapacity, kLatency);
  queue.begin(segment(10, 8));
  queue.follow(15);
  for (Cycle now = 15; now < 18; ++now) EXPECT_EQ(queue.size(now), 4u);
  queue.end();
  EXPECT_EQ(queue.size(18), 4u);
  EXPECT_EQ(queue.size(22), 0u);
  queue.unfollow(8);
  EXPECT_TRUE(queue.empty());
}

TEST(ControlQueue, ACutSegmentKeepsWhatWasPushed) {
  ControlQueue queue(kCapacity, kLatency);
  queue.begin(segment(10, 8));
  queue.follow(15);
  queue.cut(6);
  EXPECT_EQ(queue.size(16), 4u);
  queue.unfollow(2);
  EXPECT_EQ(queue.size(17), 4u);
  for (int i = 0; i < 4; ++i) queue.pop();
  EXPECT_TRUE(queue.empty());
}

TEST(ControlQueue, TellsWhichBankIsReadNow) {
  ControlQueue queue(kCapacity, kLatency);
  queue.begin(segment(10, 8));
  EXPECT_TRUE(queue.reads(10, 0));
  EXPECT_FALSE(queue.reads(10, 1));
  EXPECT_TRUE(queue.reads(16, 1));
  EXPECT_FALSE(queue.reads(18, 0));
}

TEST(ControlQueue, HoldsTheLatchWhenEveryEntryWaitsForTheBank) {
  ControlQueue queue(kCapacity, kLatency);
  queue.begin(segment(10, 8));
  EXPECT_FALSE(queue.holds_latch(14, 0));
  EXPECT_TRUE(queue.holds_latch(15, 0));
  EXPECT_FALSE(queue.holds_latch(15, 1));
  queue.pop();
  EXPECT_FALSE(queue.holds_latch(15, 0));
}

}  // namespace
}  // namespace systole::hw
