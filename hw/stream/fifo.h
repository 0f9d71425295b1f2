#pragma once
// The bounded FIFO between two nodes as its two ends see it in time: how many elements it holds, not which. A
// registered queue: an element pushed in cycle t can be popped from t + 1 on, a place freed in t can be filled from t +
// 1 on, so the order of the ends inside a cycle cannot matter. One push and one pop per cycle at most.
#include <algorithm>
#include <cstdint>

#include "hw/params/stream.h"
#include "sim/base/cycle.h"
#include "sim/base/errors.h"
#include "sim/kernel/unit.h"

namespace systole::hw {

class StreamFifo {
 public:
  explicit StreamFifo(const StreamFifoSpec& spec) : depth_(spec.depth), size_(spec.initial), peak_(spec.initial) {}

  void bind(Unit& producer, Unit& consumer) {
    producer_ = &producer;
    consumer_ = &consumer;
  }

  // Elements at the start of cycle `now`, the only number that decides anything in it. `now` is the running cycle or
  // the next one.
  [[nodiscard]] std::uint64_t size_at(Cycle now) const {
    return size_ - (last_push_ == now ? 1u : 0u) + (last_pop_ == now ? 1u : 0u);
  }
  [[nodiscard]] bool can_push(Cycle now) const { return size_at(now) < depth_; }
  [[nodiscard]] bool can_pop(Cycle now) const { return size_at(now) != 0; }

  void push(Cycle now) {
    const std::uint64_t before = size_at(now);
    peak_ = std::max(peak_, before);
    last_push_ = now;
    ++size_;
    ++pushes_;
    if (before == 0) consumer_->wake_at(now + 1);  // it may have starved; otherwise something else holds it up
  }
  void pop(Cycle now) {
    const std::uint64_t before = size_at(now);
    peak_ = std::max(peak_, before);
    last_pop_ = now;
    --size_;
    if (before == depth_) producer_->wake_at(now + 1);
  }

  // ---- whole periods at once (steady_state.h)
  void leap(std::int64_t change, std::uint64_t pushes, std::uint64_t largest) {
    size_ = static_cast<std::uint64_t>(static_cast<std::int64_t>(size_) + change);
    pushes_ += pushes;
    peak_ = std::max(peak_, largest);
  }

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t depth() const { return depth_; }
  [[nodiscard]] std::uint64_t pushes() const { return pushes_; }
  // Most elements that ever stood in the FIFO at the start of a cycle.
  [[nodiscard]] std::uint64_t peak() const { return std::max(peak_, size_); }

 private:
  std::uint64_t depth_;
  std::uint64_t size_;
  std::uint64_t peak_;
  std::uint64_t pushes_ = 0;
  Cycle last_push_ = kNever;
  Cycle last_pop_ = kNever;
  Unit* producer_ = nullptr;
  Unit* consumer_ = nullptr;
};

}  // namespace systole::hw
