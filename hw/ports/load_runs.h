#pragma once
// Loads whose way from memory to the scratchpad is known in advance. A request of whole int8 rows that nobody scales, repeats or cuts comes
// back one row a beat, and nothing on the way can hold it up: rows of loads win over zeros, and only results that the array writes into
// the scratchpad win over them. A memory that knows when the beats of such an answer leave sends them as one (ResponseBeat::run), the beat
// merger announces its rows here as a run, and nobody looks at single rows except who reads or writes the scratchpad meanwhile.
//
// Other answers go beat by beat and row by row. A run may follow them at once while they keep in step, too: each beat is taken in the cycle in
// which it arrives, and each row leaves in the cycle behind. Those that might not are known when they are asked for, or seen when it happens;
// from then on no run begins before all of them have arrived.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "hw/ports/array_links.h"
#include "hw/ports/burst.h"
#include "hw/ports/row.h"
#include "sim/base/cycle.h"
#include "sim/kernel/channel.h"

namespace systole::hw {

// How an answer behaves that is no run.
struct AnswerRows {
  bool keeps_step = false;            // the merger takes the next answer in the cycle behind its last beat, and its rows do not meet a scaler
  std::uint8_t accumulator_rows = 0;  // that go the way of the accumulator, where they may have to wait in a queue
};

struct LoadRun {
  Cycle first = 0;                    // the first row is written
  unsigned count = 0;                 // rows
  unsigned pitch = 1;                 // cycles from one to the next
  std::uint32_t row = 0;              // local row of the first; the others are `stride` apart
  std::uint32_t stride = 0;
  std::uint32_t mask = 0;             // scratchpad rows - 1
  std::uint8_t tracker = 0;
  std::uint8_t bytes = 0;             // of the request
  ValueRef values;
  unsigned settled = 0;               // rows whose values are written

  [[nodiscard]] Cycle cycle_of(unsigned i) const { return first + i * pitch; }
  [[nodiscard]] Cycle last() const { return cycle_of(count - 1); }
  [[nodiscard]] std::uint32_t row_of(unsigned i) const { return (row + i * stride) & mask; }
  // Not before `first`: rows whose turn is over or comes in this cycle, and whether one is written in it.
  [[nodiscard]] unsigned due(Cycle now) const {
    const auto passed = static_cast<unsigned>(now - first);
    return (pitch == 1 ? passed : passed / pitch) + 1;
  }
  [[nodiscard]] bool writes_in(Cycle now) const { return pitch == 1 || static_cast<unsigned>(now - first) % pitch == 0; }
};

class LoadRuns {
 public:
  // `longest`: cycles that the beats of a run may take; 0: every row goes its way by itself. `lag`: cycles from the beat merger's output to the
  // write. `bank_shift`: log2 of a bank's rows.
  LoadRuns(Cycle longest, Cycle lag, int bank_shift, int answers, const ArrayTags& tags)
      : longest_(longest), lag_(lag), bank_shift_(bank_shift), tags_(tags), answer_rows_(static_cast<std::size_t>(answers)) {
    std::size_t slots = 8;
    while (slots < lag + 4) slots *= 2;
    runs_.resize(slots);
  }
  // By a memory that sends runs.
  void enable() { enabled_ = longest_ != 0; }

  // Who writes the rows.
  class Writer {
   public:
    virtual ~Writer() = default;
    virtual void announced(const LoadRun& run) = 0;
  };
  void bind_writer(Writer& writer) { writer_ = &writer; }

  // Who counts what has been loaded.
  class Counter {
   public:
    virtual ~Counter() = default;
    // Visible to it from the next cycle on.
    virtual void loaded(Cycle now, unsigned tracker, std::uint32_t bytes) = 0;
  };
  void bind_counter(Counter& counter) { counter_ = &counter; }

  // The queue in front of the merger: a run needs no turn of the crossbar, which sends a beat on in the cycle behind its arrival, when no beat
  // is on that way.
  void bind_response(Channel<ResponseBeat>& response) { response_ = &response; }
  [[nodiscard]] ResponseBeat& send(Cycle now, Channel<ResponseBeat>& port) {
    return port.empty() && response_->empty() ? response_->emplace(now + 1) : port.emplace(now);
  }

  // The queue behind the merger on the accumulator's way.
  void bind_accumulator_queue(const Channel<LoadedRow>& queue) { accumulator_queue_ = &queue; }
  // Rows of all runs so far: they move the scaler's ring of entries on.
  std::uint64_t rows_announced = 0;

  // ---- answers that are no runs
  // ReadRequester: of the request with this transaction id.
  void note_request(unsigned source, AnswerRows rows) { answer_rows_[source] = rows; }
  // Memory sends the first beat.
  void begin_answer(unsigned source) {
    const AnswerRows& rows = answer_rows_[source];
    ++answers_;
    accumulator_rows_ += rows.accumulator_rows;
    // With room for all rows that are on their way none of them holds up the merger.
    if (!rows.keeps_step || (rows.accumulator_rows != 0 && accumulator_rows_ + accumulator_queue_->size() > accumulator_queue_->capacity())) out_of_step();
  }
  // A row waits where none should.
  void out_of_step() { in_step_ = false; }
  // BeatMerger: a row enters the queue on the accumulator's way.
  void accumulator_row() { --accumulator_rows_; }
  // The last row has been written into the scratchpad, or has left the merger for the accumulator.
  void end_answer() {
    if (--answers_ == 0) in_step_ = true;
  }

  [[nodiscard]] bool enabled() const { return enabled_; }
  [[nodiscard]] Cycle lag() const { return lag_; }
  // A run that starts with an answer sent in this cycle, and whose beats take so many cycles, cannot be held up. What changes behind this
  // question in the same cycle does not matter: a result that the array begins now comes out when the rows have been written.
  [[nodiscard]] bool open(Cycle cycles) const {
    return enabled_ && cycles <= longest_ && in_step_ && tags_.scratchpad_results() == 0;
  }

  // ---- BeatMerger
  // The run to be announced, to be filled in.
  [[nodiscard]] LoadRun& emplace() {
    SYSTOLE_CHECK(size_ < runs_.size());
    return runs_[(head_ + size_) & (runs_.size() - 1)];
  }
  void announce() {
    const LoadRun& run = runs_[(head_ + size_) & (runs_.size() - 1)];
    SYSTOLE_CHECK(size_ == 0 || run.first > at(size_ - 1).last());
    rows_announced += run.count;
    ++size_;
    writer_->announced(run);
  }

  // ---- RowWriter
  [[nodiscard]] LoadRun* front() { return size_ != 0 ? &runs_[head_] : nullptr; }
  void pop() {
    head_ = (head_ + 1) & (runs_.size() - 1);
    --size_;
  }

  // ---- everybody
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] unsigned size() const { return size_; }
  [[nodiscard]] const LoadRun& at(unsigned i) const { return runs_[(head_ + i) & (runs_.size() - 1)]; }
  [[nodiscard]] bool quiet(Cycle now) const { return size_ == 0 && answers_ == 0 && last_popped_ != now; }
  // The bank that is written in this cycle.
  [[nodiscard]] std::optional<std::uint32_t> bank_in(Cycle now) const {
    if (last_popped_ == now) return last_bank_;
    for (unsigned i = 0; i < size_; ++i) {
      const LoadRun& run = at(i);
      if (now < run.first) return std::nullopt;
      if (now > run.last()) continue;
      if (!run.writes_in(now)) return std::nullopt;
      return run.row_of(run.due(now) - 1) >> bank_shift_;
    }
    return std::nullopt;
  }
  // The run in front has ended in this cycle; its bank is still taken.
  void end(Cycle now) {
    const LoadRun& run = runs_[head_];
    counter_->loaded(now, run.tracker, run.bytes);
    last_popped_ = now;
    last_bank_ = run.row_of(run.count - 1) >> bank_shift_;
    pop();
  }
  // The first cycle in [from, until] in which one of these banks is written, or kNever.
  [[nodiscard]] Cycle first_write(std::uint32_t banks, Cycle from, Cycle until) const {
    for (unsigned i = 0; i < size_; ++i) {
      const LoadRun& run = at(i);
      for (unsigned row = 0; row < run.count; ++row) {
        const Cycle cycle = run.cycle_of(row);
        if (cycle > until) return kNever;
        if (cycle >= from && (banks >> (run.row_of(row) >> bank_shift_) & 1u) != 0) return cycle;
      }
    }
    return kNever;
  }

 private:
  const Cycle longest_;
  bool enabled_ = false;
  const Cycle lag_;
  const int bank_shift_;
  const ArrayTags& tags_;
  Writer* writer_ = nullptr;
  Counter* counter_ = nullptr;
  Channel<ResponseBeat>* response_ = nullptr;
  const Channel<LoadedRow>* accumulator_queue_ = nullptr;
  std::vector<AnswerRows> answer_rows_;   // by transaction id
  int answers_ = 0;                   // no runs; memory has sent the first beat, and the last row has not arrived
  unsigned accumulator_rows_ = 0;     // of these, not yet in the queue
  bool in_step_ = true;
  std::vector<LoadRun> runs_;         // ring
  unsigned head_ = 0;
  unsigned size_ = 0;
  Cycle last_popped_ = kNever;
  std::uint32_t last_bank_ = 0;
};

}  // namespace systole::hw
