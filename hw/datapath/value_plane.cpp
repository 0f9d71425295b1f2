#include "hw/datapath/value_plane.h"

#include "hw/params/derived.h"

namespace systole::hw {
namespace {

// Everything that can hold a buffer at a time: requests in flight, response and request queues, rows in the load and store pipelines.
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

}  // namespace systole::hw
