#pragma once
// A value that one member of a group tells later members of the same group in the same cycle. A cycle in which it is not driven reads as
// "nothing". Driving it after somebody has read it in that cycle means a wrong order of the group, which is our own error.
#include <utility>

#include "sim/base/cycle.h"
#include "sim/base/errors.h"
#include "sim/kernel/unit.h"

namespace systole {

template <class T>
class Wire {
 public:
  // A unit that must have a turn in every cycle in which the wire is driven.
  void bind_reader(Unit& unit) { reader_ = &unit; }

  // `wakes` false: the reader does not mind this value unless it has a turn anyway.
  void drive(Cycle now, T value, bool wakes = true) {
    SYSTOLE_CHECK(last_read_ != now);
    value_ = std::move(value);
    driven_ = now;
    if (wakes && reader_ != nullptr) reader_->wake_at(now);
  }
  // The value driven in this cycle, or null.
  [[nodiscard]] const T* get(Cycle now) const {
    last_read_ = now;
    return driven_ == now ? &value_ : nullptr;
  }

 private:
  T value_{};
  Cycle driven_ = kNever;
  mutable Cycle last_read_ = kNever;
  Unit* reader_ = nullptr;
};

}  // namespace systole
