#pragma once
// Runs a few units between sources and sinks. One bench per process: use in_every_mode() to compare schedulers.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <systemc>

#include "sim/base/cycle.h"
#include "sim/base/process_pool.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/scheduler.h"
#include "sim/kernel/unit.h"

namespace systole::test {

// In which cycles a source or sink holds back: a pure function of the cycle, so that spurious wake-ups change nothing.
class Stall {
 public:
  static Stall none() { return Stall(0, 1, 0); }
  static Stall always() { return Stall(1, 1, 0); }
  // With probability numerator / denominator.
  static Stall random(std::uint64_t numerator, std::uint64_t denominator, std::uint64_t seed) {
    return Stall(numerator, denominator, seed);
  }
  [[nodiscard]] bool holds(Cycle cycle) const {
    std::uint64_t z = seed_ * 0x9E3779B97F4A7C15u + cycle * 0xBF58476D1CE4E5B9u + 0x94D049BB133111EBu;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % denominator_ < numerator_;
  }

 private:
  Stall(std::uint64_t numerator, std::uint64_t denominator, std::uint64_t seed)
      : numerator_(numerator), denominator_(denominator), seed_(seed) {}
  std::uint64_t numerator_;
  std::uint64_t denominator_;
  std::uint64_t seed_;
};

// Pushes items in order, each as soon as its cycle has come and there is room.
template <class T>
class Source final : public Unit {
 public:
  Source(const sc_core::sc_module_name& name, Channel<T>& out, Stall stall = Stall::none()) : Unit(name), out_(out), stall_(stall) {
    out_.bind_writer(*this);
  }
  void add(Cycle earliest, T item) { items_.push_back({earliest, std::move(item)}); }
  void begin() {
    if (!items_.empty()) wake_at(items_.front().first);
  }
  void evaluate(Cycle now) override {
    if (next_ == items_.size() || now < items_[next_].first) return;
    if (stall_.holds(now)) return wake_at(now + 1);
    if (!out_.can_push(now)) return;
    out_.push(now, items_[next_].second);
    pushed_.push_back(now);
    if (++next_ < items_.size()) wake_at(std::max(now + 1, items_[next_].first));
  }
  [[nodiscard]] const std::vector<Cycle>& pushed() const { return pushed_; }

 private:
  Channel<T>& out_;
  Stall stall_;
  std::vector<std::pair<Cycle, T>> items_;
  std::size_t next_ = 0;
  std::vector<Cycle> pushed_;
};

// Pops whatever comes and notes when.
template <class T>
class Sink final : public Unit {
 public:
  Sink(const sc_core::sc_module_name& name, Channel<T>& in, Stall stall = Stall::none()) : Unit(name), in_(in), stall_(stall) {
    in_.bind_reader(*this);
  }
  void evaluate(Cycle now) override {
    if (in_.front(now) == nullptr) return;
    if (stall_.holds(now)) return wake_at(now + 1);
    popped_.push_back({now, in_.pop(now)});
  }
  [[nodiscard]] const std::vector<std::pair<Cycle, T>>& popped() const { return popped_; }

 private:
  Channel<T>& in_;
  Stall stall_;
  std::vector<std::pair<Cycle, T>> popped_;
};

// How the scheduler calls the units; `reverse`: in the opposite order inside a cycle.
struct BenchMode {
  SchedulerMode scheduler = SchedulerMode::kFast;
  bool reverse = false;
};

// Schedules the units given to it, until nothing is left to do or max_cycles.
class UnitBench {
 public:
  explicit UnitBench(BenchMode mode) : mode_(mode), scheduler_("scheduler", mode.scheduler, sc_core::sc_time(1, sc_core::SC_NS)) {}

  void add(Unit& unit) { units_.push_back(&unit); }
  // Makes the units known to the scheduler; before anything asks for a wake-up.
  void elaborate() {
    if (mode_.reverse) std::reverse(units_.begin(), units_.end());
    for (Unit* unit : units_) scheduler_.add(*unit);
  }
  void run(Cycle max_cycles) { scheduler_.run(max_cycles); }
  [[nodiscard]] Scheduler& scheduler() { return scheduler_; }

 private:
  BenchMode mode_;
  Scheduler scheduler_;
  std::vector<Unit*> units_;
};

// What `simulate` tells in every mode, each in a process of its own. Errors of units are rethrown here.
inline std::vector<std::string> in_every_mode(const std::function<std::string(BenchMode)>& simulate) {
  constexpr BenchMode kModes[] = {{SchedulerMode::kFast, false},       {SchedulerMode::kFast, true},
                                  {SchedulerMode::kNative, false},     {SchedulerMode::kNative, true},
                                  {SchedulerMode::kEveryCycle, false}, {SchedulerMode::kEveryCycle, true}};
  std::vector<std::string> texts(std::size(kModes));
  run_tasks(
      texts.size(), 1, [&](std::size_t index) { return simulate(kModes[index]); },
      [&](std::size_t index, TaskResult result) { texts[index] = text_or_throw(result); });
  return texts;
}

}  // namespace systole::test
