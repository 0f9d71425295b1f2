#pragma once
// A port shared by several sources: one grant per cycle, the lowest source number wins. Everybody sees the grant of cycle t from t + 1 on,
// so sources and readers may be evaluated in any order. An offer stands for one cycle; a source that was refused offers again.
#include <array>
#include <utility>
#include <vector>

#include "sim/base/cycle.h"
#include "sim/base/residual.h"
#include "sim/kernel/unit.h"

namespace systole {

template <class T, unsigned kSources>
class PriorityMerge {
 public:
  // Units that are woken in the cycle after an offer: the readers, and the sources that must learn their fate. A listener that says so
  // through `interested` is woken only while that is true; an offer that concerns it must never find it false.
  void bind_listener(Unit& unit, const bool* interested = nullptr) { listeners_.push_back({&unit, interested}); }

  // For readers that need numbers only: how many items of a class have been granted in the cycles before `now`.
  static constexpr unsigned kClasses = 16;
  void count_by(unsigned (*class_of)(const T&)) { class_of_ = class_of; }
  [[nodiscard]] std::uint64_t granted_before(Cycle now, unsigned item_class) {
    settle(now);
    return counts_[item_class];
  }
  [[nodiscard]] std::uint64_t granted_before(Cycle now) {
    settle(now);
    return granted_;
  }

  void offer(unsigned source, Cycle now, T item) {
    if (class_of_ != nullptr) {
      settle(now);
      uncounted_ = now;
    }
    offers_[source][now % 2] = {std::move(item), now};
    for (const Listener& listener : listeners_) {
      if (listener.interested == nullptr || *listener.interested) listener.unit->wake_at(now + 1);
    }
  }

  // What was granted in `cycle`, a cycle before the running one; null when nobody offered.
  [[nodiscard]] const T* granted(Cycle cycle) const {
    const unsigned source = winner(cycle);
    return source == kSources ? nullptr : &offers_[source][cycle % 2].item;
  }
  [[nodiscard]] bool was_granted(unsigned source, Cycle cycle) const { return winner(cycle) == source; }

  void residual(Residual& r) {
    if (class_of_ != nullptr) settle(r.now());
    for (const auto& source : offers_) r.rest(source[0].cycle != r.now() && source[1].cycle != r.now());
  }

 private:
  struct Offer {
    T item{};
    Cycle cycle = kNever;
  };
  struct Listener {
    Unit* unit;
    const bool* interested;
  };
  [[nodiscard]] unsigned winner(Cycle cycle) const {
    if (cycle == kNever) return kSources;   // the cycle before cycle 0
    for (unsigned source = 0; source < kSources; ++source) {
      if (offers_[source][cycle % 2].cycle == cycle) return source;
    }
    return kSources;
  }
  void settle(Cycle now) {
    if (uncounted_ >= now) return;   // kNever: all counted
    ++counts_[class_of_(*granted(uncounted_))];
    ++granted_;
    uncounted_ = kNever;
  }
  std::array<std::array<Offer, 2>, kSources> offers_{};
  unsigned (*class_of_)(const T&) = nullptr;
  Cycle uncounted_ = kNever;         // the only cycle with offers whose grant is not counted
  std::array<std::uint64_t, kClasses> counts_{};
  std::uint64_t granted_ = 0;
  std::vector<Listener> listeners_;
};

}  // namespace systole
