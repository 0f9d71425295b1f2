#pragma once
// All bytes of a running accelerator: scratchpad, accumulator, and the rows and bursts on their way. Units tell it what happens and when;
// timing never looks inside. Without a plane (timing-only runs) the same cycles result.
//   scratchpad row   array.dim bytes, int8          accumulator row   array.dim words, int32
#include <cstdint>
#include <vector>

#include "hw/datapath/gemm.h"
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
  // to[i] += words[i], in 32 bits that wrap (AccumulatorMem.scala, AccPipe). Sums that did not fit are counted.
  void accumulate(std::int32_t* to, const std::int32_t* words, int count) {
    accumulator_overflows_ += accumulate_words(to, words, count);
  }
  void count_overflows(std::uint32_t sums) { accumulator_overflows_ += sums; }
  [[nodiscard]] std::uint64_t accumulator_overflows() const { return accumulator_overflows_; }

  // A buffer for bytes that pass through queues in their order: it is used again when as many more have been taken as can be under way.
  [[nodiscard]] ValueRef allocate();
  // A buffer that stays until as many uses have ended as were announced, the first by this call. For bytes that others may overtake: a
  // broadcast row stays in a scaler for thousands of cycles.
  [[nodiscard]] ValueRef hold();
  void announce_uses(ValueRef ref, std::uint32_t uses) { held_[ref.slot - buffers_count_] += uses; }
  void end_use(ValueRef ref) {
    if (--held_[ref.slot - buffers_count_] == 0) free_.push_back(ref.slot);
  }
  [[nodiscard]] std::uint8_t* bytes(ValueRef ref) { return buffers_.data() + std::size_t{ref.slot} * buffer_bytes_; }
  [[nodiscard]] int buffer_bytes() const { return buffer_bytes_; }

 private:
  int dim_;
  int buffer_bytes_;
  std::uint32_t buffers_count_;
  std::uint32_t next_ = 0;
  std::uint64_t accumulator_overflows_ = 0;
  Memory* memory_;
  std::vector<std::int8_t> scratchpad_;
  std::vector<std::int32_t> accumulator_;
  std::vector<std::uint8_t> buffers_;      // those of allocate(), then those of hold()
  std::vector<std::uint32_t> held_;        // uses of each buffer of hold() that have not ended
  std::vector<std::uint32_t> free_;        // buffers of hold() without uses
};

}  // namespace systole::hw
