#pragma once
// Goes along with the run of a workload's program: gives memory what the program starts from, and compares what it leaves.
#include <cstddef>

#include "sim/run/results.h"

namespace systole::run {

class Follower {
 public:
  virtual ~Follower() = default;

  // The run is in front of item `next`, behind a fence or at its beginning. 0: it begins, perhaps once more, and memory is new.
  virtual void at_fence(std::size_t next) = 0;
  // The run is over. What was compared; nothing when nobody asked for it.
  [[nodiscard]] virtual CheckResult finish() = 0;
};

}  // namespace systole::run
