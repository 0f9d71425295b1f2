#pragma once
// Result rows that the array writes into the accumulator in consecutive cycles, announced with the first of them instead of one by one. The
// array's writes are never refused, so the only thing that can disturb an announcement is a write of somebody else to one of its rows: then
// the array goes on row by row. SystolicArray announces; the accumulator and who writes or reads it look up what concerns them.
#include <cstdint>
#include <optional>
#include <vector>

#include "sim/base/cycle.h"
#include "sim/base/errors.h"
#include "sim/base/residual.h"

namespace systole::hw {

struct ArrayWriteRun {
  Cycle first = 0;
  std::uint32_t count = 0;
  std::uint32_t row = 0;        // of the whole accumulator; the rows of a run do not wrap
  std::uint32_t stride = 1;     // at least 1
  bool accumulate = false;

  [[nodiscard]] std::uint32_t last_row() const { return row + (count - 1) * stride; }
  // The cycle in which a row is written, if it is.
  [[nodiscard]] std::optional<Cycle> cycle_of(std::uint32_t which) const {
    if (count == 0 || which < row || which > last_row() || (which - row) % stride != 0) return std::nullopt;
    return first + (which - row) / stride;
  }
};

class ArrayWriteRuns {
 public:
  // Who announces.
  class Source {
   public:
    virtual ~Source() = default;
    // Writes the values of all announced rows that are due by `now`.
    virtual void settle(Cycle now) = 0;
    // The announcement ends with the row of cycle `now`, if there is one; further rows are written one by one.
    virtual void fall_back(Cycle now) = 0;
  };

  // `latency`: cycles after a write in which its row can be neither read nor accumulated to. `banks`: writes in a cycle at most.
  ArrayWriteRuns(Cycle latency, int banks) : latency_(latency) {
    std::size_t others = 4;
    while (others < (latency + 2) * static_cast<Cycle>(banks)) others *= 2;
    others_.resize(others);
    std::size_t slots = 4;
    while (slots < latency + 4) slots *= 2;
    runs_.resize(slots);
  }
  void bind_source(Source& source) { source_ = &source; }

  // ---- SystolicArray
  // True when no row of the run can meet a write that is still under way, as far as is known when it begins.
  [[nodiscard]] bool may_announce(const ArrayWriteRun& run) const {
    if (!run.accumulate || run.count == 0) return true;
    for (std::size_t i = 0; i < others_.size(); ++i) {
      const Write& other = others_[(newest_other_ - i) & (others_.size() - 1)];
      if (other.cycle == kNever || other.cycle + latency_ < run.first) break;
      const std::optional<Cycle> cycle = run.cycle_of(other.row);
      if (cycle && *cycle <= other.cycle + latency_) return false;
    }
    for (std::size_t i = 0; i + 1 < runs_.size(); ++i) {   // the oldest one's place is the new one's
      const ArrayWriteRun& before = recent(i);
      if (before.first + before.count + latency_ < run.first) break;
      if (before.count == 0 || before.last_row() < run.row || run.last_row() < before.row) continue;
      // The same rows in the same order are far enough apart when the runs are.
      const bool same = before.row == run.row && before.stride == run.stride;
      if (!same || run.first <= before.first + latency_) return false;
    }
    return true;
  }
  // The run to be announced, to be filled in; nothing is announced before announce().
  [[nodiscard]] ArrayWriteRun& next() { return runs_[(newest_ + 1) & (runs_.size() - 1)]; }
  void announce() { newest_ = (newest_ + 1) & (runs_.size() - 1); }

  // ---- the others, after SystolicArray's turn
  // The row of the array's write in this cycle.
  [[nodiscard]] std::optional<std::uint32_t> row_in(Cycle now) const {
    const ArrayWriteRun* run = run_in(now);
    if (run == nullptr) return std::nullopt;
    return run->row + static_cast<std::uint32_t>(now - run->first) * run->stride;
  }
  [[nodiscard]] bool accumulates_in(Cycle now) const {
    const ArrayWriteRun* run = run_in(now);
    return run != nullptr && run->accumulate;
  }
  // Runs that can be looked back at; other writes must be further back.
  void residual(Residual& r) {
    const Write& other = others_[newest_other_];
    r.rest(other.cycle == kNever || other.cycle + latency_ < r.now());
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      ArrayWriteRun& run = runs_[(newest_ - i) & (runs_.size() - 1)];
      bool seen = run.first + run.count + latency_ >= r.now();
      r(seen);
      if (!seen) {
        if (r.loads()) run = ArrayWriteRun{};
        continue;
      }
      r.since(run.first);
      r(run.count);
      r(run.row);
      r(run.stride);
      r(run.accumulate);
    }
  }
  // The row was written at most `latency` cycles before `now`.
  [[nodiscard]] bool in_flight(std::uint32_t row, Cycle now) const {
    for (std::size_t i = 0; i + 1 < runs_.size(); ++i) {
      const ArrayWriteRun& run = recent(i);
      if (run.first + run.count + latency_ <= now) return false;
      const std::optional<Cycle> cycle = run.cycle_of(row);
      if (cycle && *cycle < now && now - *cycle <= latency_) return true;
    }
    return false;
  }
  // Somebody else, or the array row by row, writes this row.
  void note_write(Cycle now, std::uint32_t row) {
    newest_other_ = (newest_other_ + 1) & (others_.size() - 1);
    others_[newest_other_] = {now, row};
    const ArrayWriteRun& run = runs_[newest_];
    if (run.count == 0 || !run.accumulate || now >= run.first + run.count - 1 || row < run.row || row > run.last_row()) return;
    source_->fall_back(now);
    runs_[newest_].count = now < run.first ? 0 : static_cast<std::uint32_t>(now - run.first + 1);
  }
  // Before a row's value is read, or written by somebody else, in this cycle.
  void settle(Cycle now, std::uint32_t row) {
    const ArrayWriteRun& run = runs_[newest_];
    if (run.count != 0 && now >= run.first && now < run.first + run.count && row >= run.row && row <= run.last_row()) source_->settle(now);
  }

 private:
  // The i-th newest.
  [[nodiscard]] const ArrayWriteRun& recent(std::size_t i) const { return runs_[(newest_ - i) & (runs_.size() - 1)]; }
  [[nodiscard]] const ArrayWriteRun* run_in(Cycle now) const {
    for (std::size_t i = 0; i < 2; ++i) {   // the newest may be announced for the next cycle
      const ArrayWriteRun& run = recent(i);
      if (now >= run.first && now < run.first + run.count) return &run;
    }
    return nullptr;
  }

  const Cycle latency_;
  std::vector<ArrayWriteRun> runs_;   // ring; a run without rows is empty
  std::size_t newest_ = 0;
  struct Write {
    Cycle cycle = kNever;
    std::uint32_t row = 0;
  };
  std::vector<Write> others_;         // ring: the last writes that were not announced
  std::size_t newest_other_ = 0;
  Source* source_ = nullptr;
};

}  // namespace systole::hw
