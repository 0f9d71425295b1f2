#pragma once
// A level that a unit drives and others sample "before the clock edge". In cycle c a unit may still settle the level of cycle c itself, by
// set(c - 1, ...), when it learns only in c what was granted in c - 1; a reader therefore looks at cycle c in cycle c + 1.
// Two levels of history are kept, so that readers and the writer may be evaluated in any order inside a cycle.
#include <algorithm>
#include <array>

#include "sim/base/cycle.h"
#include "sim/base/residual.h"
#include "sim/kernel/unit.h"

namespace systole {

class BusyLine {
 public:
  // From cycle now + 1 on the level is `value`.
  void set(Cycle now, bool value) {
    if (history_[0].from == now + 1) {
      history_[0].value = value;
    } else if (value != history_[0].value) {
      history_[2] = history_[1];
      history_[1] = history_[0];
      history_[0] = {now + 1, value};
    } else {
      return;
    }
    if (!value && waiter_ != nullptr) {
      waiter_->wake_at(history_[0].from + 1);
      waiter_ = nullptr;
    }
  }
  // The level in `cycle`; only the last few cycles can be asked for.
  [[nodiscard]] bool at(Cycle cycle) const {
    for (const Level& level : history_) {
      if (level.from <= cycle) return level.value;
    }
    return history_.back().value;
  }
  // Wakes `unit` once, in the cycle in which it can see that the level has fallen. The level may rise again meanwhile.
  void wake_when_low(Unit& unit, Cycle now) {
    if (history_[0].value) {
      waiter_ = &unit;
    } else {
      unit.wake_at(std::max(now, history_[0].from) + 1);
    }
  }

  void residual(Residual& r) {
    r.rest(waiter_ == nullptr);
    for (Level& level : history_) {
      r.time(level.from);
      r(level.value);
    }
  }

 private:
  struct Level {
    Cycle from = 0;
    bool value = false;
  };
  std::array<Level, 3> history_{};
  Unit* waiter_ = nullptr;
};

}  // namespace systole
