#pragma once
// What has to be known about earlier commands so that the next ones leave the same values whatever the timing is. The
// hardware orders loads, computes and stores by the rows they touch, with gaps; where it does not, a program needs a
// fence. The tracker asks for it.
#include <cstdint>
#include <vector>

#include "isa/geometry.h"
#include "isa/local_address.h"

namespace systole::test {

// The way of a load into a local memory. Loads on different ways are not ordered among each other.
enum class LoadPath : std::uint8_t { kNone, kPlain, kScaled, kShrunk, kZero, kFull };

// A set of rows: `count` rows, `stride` apart.
struct Rows {
  isa::LocalAddress first;
  std::uint32_t count = 0;
  std::uint32_t stride = 1;
};

class HazardTracker {
 public:
  explicit HazardTracker(const isa::Geometry& geometry);

  void fence();
  [[nodiscard]] bool idle() const { return idle_; }  // nothing since the last fence

  // Each question is asked before the command is emitted, each note follows it.
  [[nodiscard]] bool load_needs_fence(const Rows& rows, LoadPath path) const;
  void note_load(const Rows& rows, LoadPath path);

  // Operands that the array reads. Results still on their way are recognised by their first row only.
  [[nodiscard]] bool read_needs_fence(const Rows& rows) const;
  // Result of the array. `next_load_unsafe`: an operand was read beyond the rows that the hardware protects.
  // `recognised`: the preload that announced the result took long enough for the next pair to see it (one without an
  // operand takes 4 cycles only).
  // An accumulating result must not follow one that overlaps it but starts elsewhere: a row could be added to while its write is under way.
  [[nodiscard]] bool result_needs_fence(const Rows& rows) const;
  void note_compute(const Rows& result, bool next_load_unsafe, bool recognised);
  // The garbage operand of the pair that sends them through the array again is taken for the accumulator's last row, if that has the same row
  // bits and is a result under way (ExecuteController.scala, raw_hazard_mulpre); then they are lost.
  [[nodiscard]] bool transposed_weights_need_fence() const { return last_row_written_; }

  // config_ex behind a short operation whose result is still in the array.
  [[nodiscard]] bool config_execute_needs_fence() const { return computing_; }

  // Stores hold back the requests of loads, which may then change places: loads of the same rows need a quiet port.
  [[nodiscard]] bool store_needs_fence() const { return overlapping_loads_; }
  void note_store() {
    idle_ = false;
    stored_ = true;
  }
  [[nodiscard]] bool stored() const { return stored_; }  // since the last fence

  // A loop works in one half of each memory and leaves it undefined.
  [[nodiscard]] bool loop_needs_fence() const {
    return odd_loads_ || next_load_unsafe_ || load_accumulates_ || overlapping_loads_ || last_row_written_;
  }
  void note_loop(bool accumulates_by_load);
  // Discrete commands may use a half that no running loop uses.
  [[nodiscard]] bool loops_running() const { return loops_running_; }

 private:
  static constexpr std::int32_t kNoResult = -1;
  static constexpr std::int32_t kUnrecognised = -2;
  struct Row {
    LoadPath load = LoadPath::kNone;
    bool short_load = false;             // the load had so few rows that a second one may come too close
    std::int32_t result_of = kNoResult;  // first row of the computation that wrote it, where the next pair recognises it
    std::int32_t result_start = kNoResult;   // first row of the computation that wrote it
  };
  [[nodiscard]] std::uint32_t row(const Rows& rows, std::uint32_t i) const {
    return rows.first.plus(i * rows.stride, row_bits_).row(row_bits_);
  }
  [[nodiscard]] const std::vector<Row>& memory(const Rows& rows) const {
    return rows.first.is_accumulator() ? accumulator_ : scratchpad_;
  }
  [[nodiscard]] std::vector<Row>& memory(const Rows& rows) {
    return rows.first.is_accumulator() ? accumulator_ : scratchpad_;
  }

  int row_bits_;
  std::vector<Row> scratchpad_;
  std::vector<Row> accumulator_;
  bool idle_ = true;
  bool computing_ = false;
  bool stored_ = false;
  bool odd_loads_ = false;  // loads on another way than a loop's own
  bool overlapping_loads_ = false;
  bool next_load_unsafe_ = false;
  bool array_accumulates_ = false;
  bool load_accumulates_ = false;
  bool loops_running_ = false;
  bool last_row_written_ = false;
};

}  // namespace systole::test
