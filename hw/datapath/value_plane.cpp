#include "hw/datapath/value_plane.h"

#include "hw/params/derived.h"

namespace systole::hw {
namespace {

// Everything that can hold a buffer of allocate() at a time: requests in flight and their queues, rows in the store pipelines.
std::uint32_t buffers_in_flight(const MachineParams& m) {
  const int rows_in_pipes = 4 * (m.scratchpad.read_delay + 4) * m.scratchpad.banks + m.accumulator.scale_latency + 64;
  const int beats = 2 * m.dma.max_in_flight * (1 + m.dma.max_bytes / m.dma.bus_bytes);
  std::uint32_t count = 256;
  while (count < static_cast<std::uint32_t>(rows_in_pipes + beats)) count *= 2;
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
