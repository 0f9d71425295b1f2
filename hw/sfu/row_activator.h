#pragma once
// Turns a raw accumulator row into the bytes that go to memory, and keeps the values that outlive a row: the row-scale table of extension E4
// and the overflow counters.
#include <array>
#include <vector>

#include "hw/datapath/activation.h"
#include "hw/datapath/value_plane.h"
#include "hw/params/machine.h"
#include "hw/ports/array_writes.h"
#include "hw/ports/row.h"

namespace systole::hw {

class RowActivator {
 public:
  static constexpr int kRowScales = 1024;

  // `array_writes`: what the array announces, or null.
  RowActivator(const MachineParams& params, ValuePlane* values, ArrayWriteRuns* array_writes)
      : params_(params), values_(values), array_writes_(array_writes) {}

  // Gives `row` a new buffer with its bytes: int8 after activation and scaling, or the raw words of a full-width row.
  void activate(Cycle now, StoreRow& row, const RowStatistics& stats);
  // E1: shifts the raw words in place when the activation asks for it.
  void pre_shift(StoreRow& row);

  [[nodiscard]] bool has_values() const { return values_ != nullptr; }
  [[nodiscard]] const std::int32_t* words(const StoreRow& row) {
    return reinterpret_cast<const std::int32_t*>(values_->bytes(row.values));
  }
  void set_row_scale(std::uint32_t index, float value) { row_scales_[index % kRowScales] = value; }
  [[nodiscard]] OverflowCounters& overflows() { return overflows_; }
  [[nodiscard]] const MachineParams& params() const { return params_; }

 private:
  const MachineParams params_;
  ValuePlane* values_;
  ArrayWriteRuns* array_writes_;
  std::array<float, kRowScales> row_scales_{};
  OverflowCounters overflows_;
};

}  // namespace systole::hw
