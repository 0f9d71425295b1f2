#pragma once
// A level that a unit drives and others sample "before the clock edge": the value in cycle c is what was set in cycles before c.
// Two levels of history are kept, so that readers and the writer may be evaluated in any order inside a cycle.
#include <array>

#include "sim/base/cycle.h"

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
    }
  }
  // The level in `cycle`; only the last few cycles can be asked for.
  [[nodiscard]] bool at(Cycle cycle) const {
    for (const Level& level : history_) {
      if (level.from <= cycle) return level.value;
    }
    return history_.back().value;
  }

 private:
  struct Level {
    Cycle from = 0;
    bool value = false;
  };
  std::array<Level, 3> history_{};
};

}  // namespace systole
