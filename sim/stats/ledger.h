#pragma once
// The account of a unit's cycles: it is in exactly one named state in every cycle, so busy + stalls + idle = total.
// A state entered in cycle t holds from t on, until the next one is entered; a second entry in the same cycle replaces the first. A unit
// that knows what the next cycle will be like if nobody wakes it may enter the state of cycle now + 1 at once instead of waking up for it.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sim/base/cycle.h"
#include "sim/base/errors.h"
#include "sim/base/residual.h"
#include "sim/stats/state_log.h"

namespace systole {

// A state's kind decides how it is reported: busy, idle, or a stall with its name.
enum class StateKind : std::uint8_t { kIdle, kBusy, kStall };

struct StateInfo {
  const char* name;    // stall name such as "bank_conflict"; "idle" and "busy" for the other kinds
  StateKind kind;
  const char* text;    // one sentence for the documentation
};

class Ledger {
 public:
  // State numbers are indices into `states`; 0 is the state at cycle 0 (idle).
  Ledger(std::string unit, std::vector<StateInfo> states)
      : unit_(std::move(unit)), states_(std::move(states)), cycles_(states_.size(), 0) {}

  template <class State>
  void enter(Cycle now, State state) {
    const auto next = static_cast<unsigned>(state);
    if (next != current_ || later_ != kNever) change(now, next);
  }

  // From `from` on, a cycle that comes, unless another state is entered before it.
  template <class State>
  void enter_later(Cycle from, State state) {
    later_ = from;
    later_state_ = static_cast<unsigned>(state);
  }

  // Cycles of each state in [0, end). The end of a run is known a cycle later, so the last changes may lie behind it.
  [[nodiscard]] std::vector<std::uint64_t> totals(Cycle end) const {
    if (later_ < end) {
      Ledger settled = *this;
      settled.later_ = kNever;
      settled.log_ = nullptr;
      settled.enter(later_, later_state_);
      return settled.totals(end);
    }
    std::vector<std::uint64_t> result = cycles_;
    if (end >= since_) {
      result[current_] += end - since_;
    } else {
      Cycle until = since_;
      for (const Period& period : earlier_) {
        if (until <= end) break;
        const Cycle excess = until - std::max(end, period.since);
        SYSTOLE_CHECK(result[period.state] >= excess);
        result[period.state] -= excess;
        until = period.since;
      }
    }
    std::uint64_t sum = 0;
    for (const std::uint64_t cycles : result) sum += cycles;
    SYSTOLE_CHECK(sum == end);
    return result;
  }

  // Tells `log` every period when it has ended, as unit number `unit`. Who listens is no part of the account.
  void record_to(StateLog& log, unsigned unit) const {
    log_ = &log;
    log_unit_ = unit;
  }
  // The run ends at `end`: the running periods have ended, too, and `log` hears of no later ones.
  void finish_record(Cycle end) const {
    const Cycle until = std::min(later_, end);
    if (since_ < until) record(since_, until, current_);
    if (until < end) record(until, end, later_state_);
    log_ = nullptr;
  }

  [[nodiscard]] const std::string& unit() const { return unit_; }
  [[nodiscard]] const std::vector<StateInfo>& states() const { return states_; }

  // Books the running state up to now.
  void residual(Residual& r) {
    if (later_ < r.now() && !r.loads()) change(std::exchange(later_, kNever), later_state_);
    bool later = later_ != kNever;
    r(later);
    if (later) {
      r.time(later_);
      r(later_state_);
    } else {
      later_ = kNever;
    }
    if (since_ < r.now()) {
      if (!r.loads()) cycles_[current_] += r.now() - since_;
      earlier_ = {};
      earlier_[0] = {since_, current_};
      since_ = r.now();
    }
    r(current_);
    r(earlier_[0].state);
    bool ahead = since_ > r.now();   // the state of the next cycle has been entered
    r(ahead);
    if (ahead) {
      r.time(since_);
      r.time(earlier_[0].since);
    }
    for (std::uint64_t& cycles : cycles_) r.count(cycles);
  }

 private:
  void record(Cycle from, Cycle to, unsigned state) const {
    if (log_ != nullptr) log_->period(log_unit_, state, from, to);
  }
  [[gnu::noinline]] void change(Cycle now, unsigned next) {
    if (later_ != kNever) {
      const Cycle later = std::exchange(later_, kNever);
      if (later < now) change(later, later_state_);
    }
    if (next == current_) return;
    if (now != since_) {
      SYSTOLE_CHECK(now > since_);
      cycles_[current_] += now - since_;
      record(since_, now, current_);
      earlier_[2] = earlier_[1];
      earlier_[1] = earlier_[0];
      earlier_[0] = {since_, current_};
      since_ = now;
    }
    current_ = next;
  }

  std::string unit_;
  std::vector<StateInfo> states_;
  std::vector<std::uint64_t> cycles_;
  struct Period {
    Cycle since = 0;
    unsigned state = 0;
  };
  unsigned current_ = 0;
  Cycle since_ = 0;
  Cycle later_ = kNever;
  unsigned later_state_ = 0;
  std::array<Period, 3> earlier_{};   // the states before the current one, newest first
  mutable StateLog* log_ = nullptr;
  mutable unsigned log_unit_ = 0;
};

}  // namespace systole
