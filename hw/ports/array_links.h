#pragma once
// What the execute side and the array share: rows on their way through the array, the matrix multiplications in flight, and the
// configuration registers that the write-back looks at. MeshInput and SystolicArray belong to one group, SystolicArray first.
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "hw/params/derived.h"
#include "hw/ports/command.h"
#include "isa/local_address.h"
#include "sim/kernel/unit.h"

namespace systole::hw {

// Consecutive rows of operands (and of results) that enter the array in consecutive cycles. All belong to one matrix multiplication, whose
// number modulo simultaneous_matmuls() is `id`.
struct MeshRows {
  Cycle first = 0;               // the first row enters
  std::uint16_t count = 0;
  std::uint16_t left = 0;        // rows that have come out
  std::uint16_t step = 0;        // number of the first row in its request
  std::uint16_t request = 0;     // values: which request, counted by MeshInput
  std::uint8_t id = 0;
  bool last = false;             // the last row is the last of its request
};

// Rows inside the array. It never stalls: a row leaves `latency` cycles after it entered. A run of rows may be announced before they enter and
// be cut short again. MeshInput writes, SystolicArray reads.
class RowsInside {
 public:
  explicit RowsInside(Cycle latency) : latency_(latency) {
    std::size_t slots = 8;
    while (slots < latency + 2) slots *= 2;
    runs_.resize(slots);
  }
  void bind_reader(Unit& unit) { reader_ = &unit; }

  // ---- MeshInput
  void push(Cycle now, const MeshRows& row) {
    if (size_ != 0) {
      MeshRows& tail = runs_[(head_ + size_ - 1) & mask()];
      if (tail.request == row.request && !tail.last && tail.first + tail.count == now) {
        ++tail.count;
        tail.last = row.last;
        return;
      }
    }
    push_run(row);
  }
  void push_run(const MeshRows& run) {
    SYSTOLE_CHECK(size_ < runs_.size());
    runs_[(head_ + size_) & mask()] = run;
    ++size_;
    // The reader goes from run to run by itself.
    if (size_ == 1) reader_->wake_at(run.first + latency_);
  }
  // Only the first `count` rows of the last run have entered.
  void cut(unsigned count) {
    SYSTOLE_CHECK(size_ != 0);
    MeshRows& tail = runs_[(head_ + size_ - 1) & mask()];
    tail.count = static_cast<std::uint16_t>(count);
    tail.last = false;
    if (count == 0) --size_;
  }

  // ---- SystolicArray
  [[nodiscard]] MeshRows* front() { return size_ != 0 ? &runs_[head_] : nullptr; }
  void pop() {
    head_ = (head_ + 1) & mask();
    --size_;
  }
  [[nodiscard]] Cycle latency() const { return latency_; }

  // Ids count modulo `ids` and are compared by their distance from `last`, requests by theirs from `newest`.
  void residual(Residual& r, unsigned last, unsigned ids, std::uint16_t newest) {
    r(size_);
    if (r.loads()) head_ = 0;
    for (unsigned i = 0; i < size_; ++i) {
      MeshRows& run = runs_[(head_ + i) & mask()];
      r.since(run.first);
      r(run.count);
      r(run.left);
      r(run.step);
      r(run.last);
      auto requests = static_cast<std::uint16_t>(newest - run.request);
      r(requests);
      run.request = static_cast<std::uint16_t>(newest - requests);
      unsigned distance = (last + ids - run.id) % ids;
      r(distance);
      run.id = static_cast<std::uint8_t>((last + ids - distance) % ids);
    }
  }

  // ---- observers
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] bool entered_in(Cycle now) const {
    for (unsigned i = 0; i < size_; ++i) {
      const MeshRows& run = runs_[(head_ + i) & mask()];
      if (now >= run.first && now < run.first + run.count) return true;
    }
    return false;
  }

 private:
  [[nodiscard]] unsigned mask() const { return static_cast<unsigned>(runs_.size()) - 1; }
  Cycle latency_;
  std::vector<MeshRows> runs_;
  unsigned head_ = 0;
  unsigned size_ = 0;
  Unit* reader_ = nullptr;
};

// Where a result goes, and whose completion it is (ExecuteController.scala mesh_tag). Garbage tags (of a lone compute) take a place, too.
struct ArrayTag {
  bool valid = false;            // false: results of this multiplication are dropped
  std::uint8_t id = 0;           // rows that bring the result carry this id
  RobId rob;
  Origin origin = Origin::kHost;
  isa::LocalAddress destination{isa::LocalAddress::kGarbage};
  std::uint16_t rows = 0;
  std::uint16_t cols = 0;
  std::uint32_t sequence = 0;
};

inline void residual_of(Residual& r, ArrayTag& tag) {
  r(tag.valid);
  if (!tag.valid) return;
  residual_of(r, tag.rob);
  r(tag.origin);
  std::uint32_t bits = tag.destination.bits();
  r(bits);
  tag.destination = isa::LocalAddress(bits);
  r(tag.rows);
  r(tag.cols);
  r.sequence(tag.sequence);
}

// The tag queue and the queue of row counts beside it (MeshWithDelays.scala tagq, total_rows_q; TagQueue.scala). Both are written by MeshInput
// when a request fires and read by SystolicArray when rows come out. Levels that others sample are those before the clock edge.
class ArrayTags {
 public:
  explicit ArrayTags(unsigned entries) : entries_(entries), tags_(entries), rows_(entries) {}

  // Two units may wait for what happens here; they are woken in the next cycle. The input waits for room, the controller for results that
  // are announced or come out.
  void bind_input(Unit& unit) { input_ = &unit; }
  void bind_controller(Unit& unit) { controller_ = &unit; }
  void set_input_waits(bool waits) { input_waits_ = waits; }
  void set_controller_waits(bool waits) { controller_waits_ = waits; }

  // ---- MeshInput
  [[nodiscard]] bool has_room(Cycle now) const {
    return tag_count_ + (tag_popped_ == now ? 1u : 0u) < entries_ && row_count_ + (rows_popped_ == now ? 1u : 0u) < entries_;
  }
  void push(Cycle now, const ArrayTag& tag, std::uint8_t rows_id, unsigned rows) {
    SYSTOLE_CHECK(tag_count_ < entries_ && row_count_ < entries_);
    tags_[slot(tag_head_ + tag_count_)] = tag;
    ++tag_count_;
    valid_count_ += tag.valid ? 1u : 0u;
    scratchpad_count_ += tag.valid && !tag.destination.is_accumulator() ? 1u : 0u;
    rows_[slot(row_head_ + row_count_)] = {rows_id, static_cast<std::uint16_t>(rows)};
    ++row_count_;
    pushed_ = now;
    pushed_valid_ = tag.valid;
    if (tag.valid && controller_waits_) controller_->wake_at(now + 1);
  }
  // Will the rows of this id be written somewhere?
  [[nodiscard]] bool wants(std::uint8_t id) const {
    for (unsigned i = 0; i < tag_count_; ++i) {
      const ArrayTag& tag = tags_[slot(tag_head_ + i)];
      if (tag.valid && tag.id == id) return true;
    }
    return false;
  }

  // ---- SystolicArray
  [[nodiscard]] const ArrayTag* match(std::uint8_t id) const {
    return tag_count_ != 0 && tags_[tag_head_].id == id ? &tags_[tag_head_] : nullptr;
  }
  // What match() and total_rows() say holds until the next retire(): a push behind them changes nothing.
  [[nodiscard]] bool head_is_known() const { return tag_count_ != 0 && row_count_ != 0; }
  // Rows of the request whose results come out now; `otherwise` when the head belongs to another one.
  [[nodiscard]] unsigned total_rows(std::uint8_t id, unsigned otherwise) const {
    return row_count_ != 0 && rows_[row_head_].id == id ? rows_[row_head_].rows : otherwise;
  }
  // The last row of `id` has come out.
  void retire(Cycle now, std::uint8_t id) {
    if (tag_count_ != 0 && tags_[tag_head_].id == id) {
      popped_ = tags_[tag_head_];
      tag_popped_ = now;
      valid_count_ -= popped_.valid ? 1u : 0u;
      scratchpad_count_ -= popped_.valid && !popped_.destination.is_accumulator() ? 1u : 0u;
      tag_head_ = slot(tag_head_ + 1);
      --tag_count_;
      if (controller_waits_) controller_->wake_at(now + 1);
      if (input_waits_) input_->wake_at(now + 1);
    }
    if (row_count_ != 0 && rows_[row_head_].id == id) {
      rows_popped_ = now;
      row_head_ = slot(row_head_ + 1);
      --row_count_;
      if (input_waits_) input_->wake_at(now + 1);
    }
  }
  // The array uses the completion port in this cycle.
  void mark_completion(Cycle now) { completed_ = now; }

  // ---- ExecuteController (after both in the group)
  [[nodiscard]] bool changed_in(Cycle now) const { return pushed_ == now || tag_popped_ == now; }
  [[nodiscard]] bool completed_in(Cycle now) const { return completed_ == now; }
  // A result is still to come: the level in `now`, and in `now + 1`.
  [[nodiscard]] bool in_progress(Cycle now) const {
    return valid_count_ + (tag_popped_ == now && popped_.valid ? 1u : 0u) > (pushed_ == now && pushed_valid_ ? 1u : 0u);
  }
  [[nodiscard]] bool in_progress_next() const { return valid_count_ != 0; }
  // Does a result to come start at one of these addresses? Only start addresses are compared (LocalAddr.scala is_same_address).
  template <std::size_t kCount>
  [[nodiscard]] bool starts_at(Cycle now, const std::array<std::uint32_t, kCount>& addresses, int row_bits) const {
    const std::uint32_t mask = isa::LocalAddress::kAccumulatorBit | ((1u << row_bits) - 1u);
    const auto same = [&](const ArrayTag& tag) {
      if (!tag.valid) return false;
      for (const std::uint32_t address : addresses) {
        if (((tag.destination.bits() ^ address) & mask) == 0) return true;
      }
      return false;
    };
    const unsigned count = tag_count_ - (pushed_ == now ? 1u : 0u);
    for (unsigned i = 0; i < count; ++i) {
      if (same(tags_[slot(tag_head_ + i)])) return true;
    }
    return tag_popped_ == now && same(popped_);
  }

  [[nodiscard]] unsigned size() const { return tag_count_; }
  // Results still to be written into the scratchpad.
  [[nodiscard]] unsigned scratchpad_results() const { return scratchpad_count_; }

  // Ids count modulo `ids` and are taken relative to `last`.
  void residual(Residual& r, unsigned last, unsigned ids) {
    r(valid_count_);
    r(scratchpad_count_);
    const auto relative = [&](std::uint8_t& id) {
      unsigned distance = (id + ids - last % ids) % ids;
      r(distance);
      if (r.loads()) id = static_cast<std::uint8_t>((last + distance) % ids);
    };
    unsigned count = tag_count_;
    r(count);
    if (r.loads()) {
      tag_head_ = 0;
      tag_count_ = count;
      for (unsigned i = 0; i < count; ++i) tags_[i] = ArrayTag{};
    }
    for (unsigned i = 0; i < count; ++i) {
      relative(tags_[slot(tag_head_ + i)].id);
      residual_of(r, tags_[slot(tag_head_ + i)]);
    }
    unsigned rows = row_count_;
    r(rows);
    if (r.loads()) {
      row_head_ = 0;
      row_count_ = rows;
    }
    for (unsigned i = 0; i < rows; ++i) {
      relative(rows_[slot(row_head_ + i)].id);
      r(rows_[slot(row_head_ + i)].rows);
    }
    r.time(pushed_);
    r(pushed_valid_);
    r.time(tag_popped_);
    r.time(rows_popped_);
    r.rest(!popped_.valid || tag_popped_ != r.now());
    r.time(completed_);
    r(input_waits_);
    r(controller_waits_);
  }
  [[nodiscard]] const ArrayTag& at(unsigned index) const { return tags_[slot(tag_head_ + index)]; }

 private:
  struct Rows {
    std::uint8_t id = 0;
    std::uint16_t rows = 0;
  };
  [[nodiscard]] unsigned slot(unsigned index) const { return index < entries_ ? index : index - entries_; }
  unsigned entries_;
  std::vector<ArrayTag> tags_;
  std::vector<Rows> rows_;
  unsigned tag_head_ = 0;
  unsigned tag_count_ = 0;
  unsigned valid_count_ = 0;
  unsigned scratchpad_count_ = 0;
  unsigned row_head_ = 0;
  unsigned row_count_ = 0;
  Cycle pushed_ = kNever;
  bool pushed_valid_ = false;
  Cycle tag_popped_ = kNever;
  Cycle rows_popped_ = kNever;
  ArrayTag popped_;
  Cycle completed_ = kNever;
  Unit* input_ = nullptr;
  Unit* controller_ = nullptr;
  bool input_waits_ = false;
  bool controller_waits_ = true;
};

// Registers of the execute controller that act at the array's output. Set by ExecuteController after the others have had their turn.
struct ArrayConfig {
  bool weight_stationary = false;
  bool relu = false;
  std::uint32_t c_stride = 0;
};

struct ArrayLinks {
  explicit ArrayLinks(const MachineParams& params)
      : rows(static_cast<Cycle>(array_latency(params))),
        tags(static_cast<unsigned>(simultaneous_matmuls(params)) + 1) {}

  RowsInside rows;
  ArrayTags tags;
  ArrayConfig config;
};

}  // namespace systole::hw
