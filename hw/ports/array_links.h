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
#include "sim/kernel/channel.h"

namespace systole::hw {

// One row of operands (and of results): `id` is the matrix multiplication it belongs to, modulo simultaneous_matmuls().
struct MeshRow {
  std::uint8_t id = 0;
  bool last = false;             // last row of its request
  std::uint16_t request = 0;     // values: which request, counted by MeshInput
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

// The tag queue and the queue of row counts beside it (MeshWithDelays.scala tagq, total_rows_q; TagQueue.scala). Both are written by MeshInput
// when a request fires and read by SystolicArray when rows come out. Levels that others sample are those before the clock edge.
class ArrayTags {
 public:
  explicit ArrayTags(unsigned entries) : entries_(entries), tags_(entries), rows_(entries) {}

  // Woken in the cycle after a push or pop that may matter to them.
  void bind_watcher(Unit& unit) { watchers_.push_back(&unit); }

  // ---- MeshInput
  [[nodiscard]] bool has_room(Cycle now) const {
    return tag_count_ + (tag_popped_ == now ? 1u : 0u) < entries_ && row_count_ + (rows_popped_ == now ? 1u : 0u) < entries_;
  }
  void push(Cycle now, const ArrayTag& tag, std::uint8_t rows_id, unsigned rows) {
    SYSTOLE_CHECK(tag_count_ < entries_ && row_count_ < entries_);
    tags_[slot(tag_head_ + tag_count_)] = tag;
    ++tag_count_;
    valid_count_ += tag.valid ? 1u : 0u;
    rows_[slot(row_head_ + row_count_)] = {rows_id, static_cast<std::uint16_t>(rows)};
    ++row_count_;
    pushed_ = now;
    pushed_valid_ = tag.valid;
    if (tag.valid) wake(now + 1);
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
      tag_head_ = slot(tag_head_ + 1);
      --tag_count_;
      wake(now + 1);
    }
    if (row_count_ != 0 && rows_[row_head_].id == id) {
      rows_popped_ = now;
      row_head_ = slot(row_head_ + 1);
      --row_count_;
      wake(now + 1);
    }
  }
  // The array uses the completion port in this cycle.
  void mark_completion(Cycle now) { completed_ = now; }

  // ---- ExecuteController (after both in the group)
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
  [[nodiscard]] const ArrayTag& at(unsigned index) const { return tags_[slot(tag_head_ + index)]; }

 private:
  struct Rows {
    std::uint8_t id = 0;
    std::uint16_t rows = 0;
  };
  [[nodiscard]] unsigned slot(unsigned index) const { return index < entries_ ? index : index - entries_; }
  void wake(Cycle at) const {
    for (Unit* unit : watchers_) unit->wake_at(at);
  }

  unsigned entries_;
  std::vector<ArrayTag> tags_;
  std::vector<Rows> rows_;
  unsigned tag_head_ = 0;
  unsigned tag_count_ = 0;
  unsigned valid_count_ = 0;
  unsigned row_head_ = 0;
  unsigned row_count_ = 0;
  Cycle pushed_ = kNever;
  bool pushed_valid_ = false;
  Cycle tag_popped_ = kNever;
  Cycle rows_popped_ = kNever;
  ArrayTag popped_;
  Cycle completed_ = kNever;
  std::vector<Unit*> watchers_;
};

// Registers of the execute controller that act at the array's output. Set by ExecuteController after the others have had their turn.
struct ArrayConfig {
  bool weight_stationary = false;
  bool relu = false;
  std::uint32_t c_stride = 0;
};

struct ArrayLinks {
  explicit ArrayLinks(const MachineParams& params)
      : rows("array.rows", static_cast<Cycle>(array_latency(params)), static_cast<unsigned>(array_latency(params)) + 1),
        tags(static_cast<unsigned>(simultaneous_matmuls(params)) + 1) {}

  Channel<MeshRow> rows;   // MeshInput -> SystolicArray; the array never stalls
  ArrayTags tags;
  ArrayConfig config;
};

}  // namespace systole::hw
