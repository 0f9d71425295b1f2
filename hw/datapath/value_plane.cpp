#include "hw/datapath/value_plane.h"

#include "hw/params/derived.h"

namespace systole::hw {
namespace {

// How many buffers of allocate() can be taken between the taking of one and its last use. The longest way is a stored row's: it is taken when the
// row is read and used when the row has become beats. Meanwhile each row in front of it takes one for what the scaling unit makes of it and one per
// beat, and as many rows behind it are read and scaled.
std::uint32_t buffers_in_flight(const MachineParams& m) {
  const int queue_entries = 3 * (m.scratchpad.read_delay + 2);   // norm, scale and issue queue
  const int rows_in_pipes = queue_entries + m.accumulator.scale_latency + 8;
  const int row_bytes = std::max(accumulator_row_bytes(m), m.dma.max_bytes);
  const int beats_of_a_row = row_bytes / m.dma.bus_bytes + 1;
  const int beats = 2 * m.dma.max_in_flight * (1 + m.dma.max_bytes / m.dma.bus_bytes);
  std::uint32_t count = 256;
  while (count < static_cast<std::uint32_t>(rows_in_pipes * (beats_of_a_row + 3) + beats)) count *= 2;
  return count;
}

}  // namespace

ValuePlane::ValuePlane(const MachineParams& params, Memory& memory)
    : dim_(params.array.dim),
      buffer_bytes_(std::max({params.dma.max_bytes, accumulator_row_bytes(params), 64})),
      buffers_count_(buffers_in_flight(params)),
      memory_(&memory),
      scratchpad_(static_cast<std::size_t>(scratchpad_rows(params)) * dim_),
      accumulator_(static_cast<std::size_t>(accumulator_rows(params)) * dim_),
      buffers_(static_cast<std::size_t>(buffers_count_) * buffer_bytes_) {}

ValueRef ValuePlane::allocate() {
  const ValueRef ref{next_};
  next_ = (next_ + 1) & (buffers_count_ - 1);
  return ref;
}

ValueRef ValuePlane::hold() {
  if (free_.empty()) {
    free_.push_back(buffers_count_ + static_cast<std::uint32_t>(held_.size()));
    held_.push_back(0);
    buffers_.resize((static_cast<std::size_t>(buffers_count_) + held_.size()) * static_cast<std::size_t>(buffer_bytes_));
  }
  const ValueRef ref{free_.back()};
  free_.pop_back();
  held_[ref.slot - buffers_count_] = 1;
  return ref;
}

}  // namespace systole::hw
