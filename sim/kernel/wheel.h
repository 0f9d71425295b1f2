#pragma once
// A calendar wheel: which units are to be evaluated in which cycle. One bit per unit and cycle slot; far wake-ups wait in a heap.
// Units are evaluated in ascending index; that order matters only inside a Group (see scheduler.h).
#include <array>
#include <cstdint>
#include <queue>
#include <utility>
#include <vector>

#include "sim/base/cycle.h"
#include "sim/base/errors.h"

namespace systole {

class Wheel {
 public:
  static constexpr unsigned kMaxUnits = 64;

  // Called when a wake-up earlier than all pending ones arrives from outside run_cycle (the native scheduler re-arms its event).
  using Alarm = void (*)(void* owner, Cycle at);
  void set_alarm(Alarm alarm, void* owner) {
    alarm_ = alarm;
    alarm_owner_ = owner;
  }

  void wake(unsigned index, Cycle at) {
    SYSTOLE_CHECK(at > now_ || (at == now_ && index >= next_index_));
    if (at - now_ < kSlots) {
      slots_[at % kSlots] |= std::uint64_t{1} << index;
      occupied_[(at % kSlots) / 64] |= std::uint64_t{1} << (at % 64);
    } else {
      wake_far(index, at);
    }
    if (alarm_ != nullptr) alarm_(alarm_owner_, at);
  }

  // The earliest pending cycle, or kNever.
  [[nodiscard]] Cycle next() const {
    if (slots_[(now_ + 1) % kSlots] != 0 && slots_[now_ % kSlots] == 0) return now_ + 1;   // far ones are at least kSlots away
    const unsigned start = static_cast<unsigned>(now_ % kSlots);
    // Word by word from the current slot on, wrapping once; the first word is visited twice (its upper, then its lower bits).
    for (unsigned step = 0; step <= kWords; ++step) {
      const unsigned word = (start / 64 + step) % kWords;
      std::uint64_t bits = occupied_[word];
      if (step == 0) bits &= ~std::uint64_t{0} << (start % 64);
      if (step == kWords) bits &= ~(~std::uint64_t{0} << (start % 64));
      if (bits == 0) continue;
      const unsigned slot = word * 64 + static_cast<unsigned>(__builtin_ctzll(bits));
      const Cycle near = now_ + (slot + kSlots - start) % kSlots;
      return far_.empty() ? near : std::min(near, far_.top().first);
    }
    return far_.empty() ? kNever : far_.top().first;
  }

  [[nodiscard]] Cycle now() const { return now_; }

  // Evaluates all units that are awake in `cycle` by calling evaluate(index). Returns the number of wake-ups.
  template <class Evaluate>
  unsigned run_cycle(Cycle cycle, Evaluate&& evaluate) {
    SYSTOLE_CHECK(cycle >= now_);
    now_ = cycle;
    next_index_ = 0;
    while (!far_.empty() && far_.top().first - now_ < kSlots) {
      const auto [at, index] = far_.top();
      far_.pop();
      slots_[at % kSlots] |= std::uint64_t{1} << index;
      occupied_[(at % kSlots) / 64] |= std::uint64_t{1} << (at % 64);
    }
    std::uint64_t& slot = slots_[cycle % kSlots];
    unsigned woken = 0;
    while (slot != 0) {
      const unsigned index = static_cast<unsigned>(__builtin_ctzll(slot));
      slot &= slot - 1;
      next_index_ = index + 1;
      evaluate(index);
      ++woken;
    }
    occupied_[(cycle % kSlots) / 64] &= ~(std::uint64_t{1} << (cycle % 64));
    next_index_ = kMaxUnits;
    return woken;
  }

  // Between two cycles: the wake-ups to come, by their distance from now. False when there are some further ahead than the wheel reaches.
  using Pending = std::vector<std::pair<Cycle, std::uint64_t>>;
  [[nodiscard]] bool pending(Pending& wakes) const {
    wakes.clear();
    for (Cycle ahead = 1; ahead < kSlots; ++ahead) {
      if (const std::uint64_t units = slots_[(now_ + ahead) % kSlots]; units != 0) wakes.push_back({ahead, units});
    }
    return far_.empty();
  }
  // Goes on from cycle `to`, with these wake-ups instead of its own.
  void jump(Cycle to, const Pending& wakes) {
    SYSTOLE_CHECK(to >= now_ && far_.empty());
    slots_ = {};
    occupied_ = {};
    now_ = to;
    for (const auto& [ahead, units] : wakes) {
      slots_[(to + ahead) % kSlots] = units;
      occupied_[((to + ahead) % kSlots) / 64] |= std::uint64_t{1} << ((to + ahead) % 64);
    }
  }

 private:
  // Out of line: wake() stands in every unit many times, and the whole hot path has to fit into the instruction cache.
  [[gnu::noinline, gnu::cold]] void wake_far(unsigned index, Cycle at) { far_.push({at, index}); }

  static constexpr unsigned kSlots = 1024;
  static constexpr unsigned kWords = kSlots / 64;

  Cycle now_ = 0;
  unsigned next_index_ = 0;   // units below have had their turn in `now_`
  std::array<std::uint64_t, kSlots> slots_{};
  std::array<std::uint64_t, kWords> occupied_{};
  std::priority_queue<std::pair<Cycle, unsigned>, std::vector<std::pair<Cycle, unsigned>>, std::greater<>> far_;
  Alarm alarm_ = nullptr;
  void* alarm_owner_ = nullptr;
};

}  // namespace systole
