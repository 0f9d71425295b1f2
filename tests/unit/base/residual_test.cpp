#include "sim/base/residual.h"

#include <gtest/gtest.h>

namespace systole {
namespace {

// A unit as the machine has them.
struct Register {
  int field = 0;
  Cycle stamp = kNever;
  std::uint32_t scale = 0;
  std::uint64_t count = 0;
  bool busy = false;

  void residual(Residual& r) {
    r(field);
    r.time(stamp);
    r.named(Residual::Name::kScale, scale, Residual::Setting::kStore);
    r.count(count);
    r.rest(!busy);
  }
};

TEST(Residual, puts_back_what_it_saved_at_another_time) {
  Register from;
  from.field = -3;
  from.stamp = 998;
  from.scale = 7;
  from.count = 40;
  Residual saved(1000);
  from.residual(saved);
  EXPECT_TRUE(saved.at_rest());

  Register to;
  to.count = 2;
  Residual load(5000, saved.words(), saved.names(), {30});
  to.residual(load);
  EXPECT_TRUE(load.exhausted());
  EXPECT_EQ(to.field, -3);
  EXPECT_EQ(to.stamp, 4998u);
  EXPECT_EQ(to.scale, 7u);
  EXPECT_EQ(to.count, 32u);
}

TEST(Residual, beginnings_keep_any_distance_and_commands_theirs_from_the_next_one) {
  Cycle began = 40;
  std::uint32_t number = 17;
  Residual saved(1000);
  saved.set_commands(20, {});
  saved.since(began);
  saved.sequence(number);
  Residual load(5000, saved.words(), {}, {});
  load.set_commands(120, {});
  load.since(began);
  load.sequence(number);
  EXPECT_EQ(began, 4040u);
  EXPECT_EQ(number, 117u);
}

TEST(Residual, stamps_of_long_ago_are_equal_and_those_ahead_are_kept) {
  const auto words = [](Cycle now, Cycle stamp) {
    Register unit;
    unit.stamp = stamp;
    Residual r(now);
    unit.residual(r);
    return r.words();
  };
  EXPECT_EQ(words(1000, 10), words(9000, 8000));
  EXPECT_EQ(words(1000, 10), words(1000, kNever));
  EXPECT_EQ(words(1000, 1005), words(2000, 2005));
  EXPECT_NE(words(1000, 1005), words(1000, 1006));
  EXPECT_NE(words(1000, 999), words(1000, 998));
}

TEST(Residual, one_busy_unit_is_enough) {
  Register idle, busy;
  busy.busy = true;
  Residual r(10);
  idle.residual(r);
  busy.residual(r);
  idle.residual(r);
  EXPECT_FALSE(r.at_rest());
}

}  // namespace
}  // namespace systole
