#pragma once
// All bytes of a running accelerator: scratchpad, accumulator, and the rows and bursts on their way. Units tell it what happens and when;
// timing never looks inside. Without a plane (timing-only runs) the same cycles result.
//   scratchpad row   array.dim bytes, int8          accumulator row   array.dim words, int32
#include <cstdint>
#include <vector>

#include "hw/params/machine.h"
#include "hw/ports/value_ref.h"
#include "sim/base/memory.h"

namespace systole::hw {

class ValuePlane {
 public:
  ValuePlane(const MachineParams& params, Memory& memory);

  [[nodiscard]] int dim() const { return dim_; }
  [[nodiscard]] Memory& memory() { return *memory_; }

  // Row numbers must be below the memory's rows (address arithmetic wraps before it gets here).
  [[nodiscard]] std::int8_t* scratchpad_row(std::uint32_t row) { return scratchpad_.data() + std::size_t{row} * dim_; }
  [[nodiscard]] std::int32_t* accumulator_row(std::uint32_t row) { return accumulator_.data() + std::size_t{row} * dim_; }

  // A buffer for bytes in flight: kept until `kBuffers` more have been taken, which is longer than anything stays in flight.
  [[nodiscard]] ValueRef allocate();
  [[nodiscard]] std::uint8_t* bytes(ValueRef ref) { return buffers_.data() + std::size_t{ref.slot} * buffer_bytes_; }
  [[nodiscard]] int buffer_bytes() const { return buffer_bytes_; }

 private:
  int dim_;
  int buffer_bytes_;
  std::uint32_t buffers_count_;
  std::uint32_t next_ = 0;
  Memory* memory_;
  std::vector<std::int8_t> scratchpad_;
  std::vector<std::int32_t> accumulator_;
  std::vector<std::uint8_t> buffers_;
};

}  // namespace systole::hw
