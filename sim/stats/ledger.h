#pragma once
// The account of a unit's cycles: it is in exactly one named state in every cycle, so busy + stalls + idle = total.
// A state entered in cycle t holds from t on, until the next one is entered; a second entry in the same cycle replaces the first.
#include <cstdint>
#include <string>
#include <vector>

#include "sim/base/cycle.h"
#include "sim/base/errors.h"
#include "sim/base/residual.h"

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
    if (next == current_) return;
    SYSTOLE_CHECK(now >= since_);
    cycles_[current_] += now - since_;
    previous_ = current_;
    current_ = next;
    since_ = now;
  }

  // Cycles of each state in [0, end). The end of a run is known a cycle later, so the last change may lie behind it.
  [[nodiscard]] std::vector<std::uint64_t> totals(Cycle end) const {
    std::vector<std::uint64_t> result = cycles_;
    if (end >= since_) {
      result[current_] += end - since_;
    } else {
      SYSTOLE_CHECK(result[previous_] >= since_ - end);
      result[previous_] -= since_ - end;
    }
    std::uint64_t sum = 0;
    for (const std::uint64_t cycles : result) sum += cycles;
    SYSTOLE_CHECK(sum == end);
    return result;
  }

  [[nodiscard]] const std::string& unit() const { return unit_; }
  [[nodiscard]] const std::vector<StateInfo>& states() const { return states_; }

  // Books the running state up to now.
  void residual(Residual& r) {
    r.rest(since_ <= r.now());
    if (since_ < r.now()) {
      if (!r.loads()) cycles_[current_] += r.now() - since_;
      previous_ = current_;
      since_ = r.now();
    }
    r(current_);
    r(previous_);
    for (std::uint64_t& cycles : cycles_) r.count(cycles);
  }

 private:
  std::string unit_;
  std::vector<StateInfo> states_;
  std::vector<std::uint64_t> cycles_;
  unsigned current_ = 0;
  unsigned previous_ = 0;
  Cycle since_ = 0;
};

}  // namespace systole
