#pragma once
// The local rows that a command reads and writes, as the reservation station compares them (ReservationStation.scala OpT and the
// computation of op1, op2 and dst at allocation).
#include <array>
#include <cstdint>

#include "hw/frontend/front_end_params.h"
#include "isa/fields.h"
#include "isa/instruction.h"
#include "isa/local_address.h"
#include "sim/base/residual.h"

namespace systole::hw {

// Rows [start, end) of one local memory. The accumulator's row numbers have bit 31 set, so that ranges of different memories do not meet. An
// end that has passed the last row is the largest number of its memory; the garbage address begins behind everything and ends before it.
struct OperandRange {
  static constexpr std::uint32_t kAccumulator = 0x80000000;

  bool valid = false;
  std::uint32_t start = 0;
  std::uint32_t end = 0;

  [[nodiscard]] bool overlaps(const OperandRange& other) const {
    return ((other.start <= start) & (start < other.end)) | ((start <= other.start) & (other.start < end));
  }
};

// `a` is what the command writes if it writes local memory, else its first operand; `b` its other operand.
struct Operands {
  OperandRange a;
  OperandRange b;
  bool a_is_destination = false;
};

// Computes the operands of commands in program order: sizes depend on the configuration commands before them.
class OperandAnalyser {
 public:
  explicit OperandAnalyser(const FrontEndParams& params);

  void operands(isa::Op op, const isa::Instruction& instruction, Operands& result) const;
  // Takes over a configuration command; others change nothing.
  void configure(isa::Op op, const isa::Instruction& instruction);
  [[nodiscard]] static bool is_load_state(std::uint64_t state) { return state < kLoadStates; }
  void residual(Residual& r) {
    r(a_stride_);
    r(c_stride_);
    r(a_transpose_);
    r.setting(Residual::Setting::kStore, pooling_);
    for (std::size_t state = 0; state < kLoadStates; ++state) {
      r.setting(Residual::load_setting(state), block_stride_[state]);
      r.setting(Residual::load_setting(state), extra_pixels_[state]);
    }
  }

 private:
  static constexpr unsigned kLoadStates = 3;   // GemminiConfigs.scala load_states

  [[nodiscard]] OperandRange range(isa::LocalAddress address, std::uint64_t rows) const;
  [[nodiscard]] OperandRange between(isa::LocalAddress address, std::uint32_t end, bool wraps) const;
  [[nodiscard]] OperandRange loaded(const isa::Instruction& instruction, unsigned state) const;
  [[nodiscard]] OperandRange stored(const isa::Instruction& instruction) const;
  [[nodiscard]] OperandRange rest_of_bank(isa::LocalAddress address) const;
  // Rows from the first to the last row of an operand of `cols` columns, blocks `block_stride` rows apart.
  [[nodiscard]] std::uint64_t span(std::uint64_t cols, std::uint64_t rows, std::uint64_t block_stride, int stride_bits) const;
  [[nodiscard]] isa::LocalAddress lowered(isa::LocalAddress address, std::uint32_t rows) const;

  const FrontEndParams params_;
  int scratchpad_bits_;
  int accumulator_bits_;
  std::uint32_t rows_mask_;
  std::uint32_t cols_mask_;
  std::uint32_t stride_mask_;
  std::uint32_t repeats_mask_;
  // ReservationStation.scala: copies of the controllers' configuration.
  std::uint32_t a_stride_ = 0;
  std::uint32_t c_stride_ = 0;
  bool a_transpose_ = false;
  bool pooling_ = false;
  std::array<std::uint32_t, kLoadStates> block_stride_{};
  std::array<std::uint32_t, kLoadStates> extra_pixels_{};   // pixel repeats minus one
};

}  // namespace systole::hw
