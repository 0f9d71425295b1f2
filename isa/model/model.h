#pragma once
// The oracle: what a program leaves in memory, without time. Instructions run one after the other, each completely.
// Written from the description of the instruction set and shares nothing with hw; programs whose result depends on
// timing are not for it.
#include <cstdint>
#include <functional>
#include <string>

#include "isa/geometry.h"
#include "isa/instruction.h"
#include "isa/model/machine_state.h"
#include "isa/model/tile_product.h"
#include "isa/program.h"
#include "sim/base/memory.h"

namespace systole::isa {

// Results that did not fit their width. The hardware wraps silently; a calibrated model has none.
struct Overflows {
  std::uint64_t gelu = 0;        // elements
  std::uint64_t exp_sum = 0;     // row blocks whose sum of exponentials left 32 bits
  std::uint64_t variance = 0;    // row blocks whose sum of squares left 32 bits
  std::uint64_t row_sum = 0;     // row blocks whose plain sum left 32 bits
  std::uint64_t accumulate = 0;  // accumulator additions beyond 32 bits
  std::uint64_t array = 0;       // sums inside the array beyond its spatial width
};

class Model {
 public:
  // Throws ConfigError for an impossible geometry. `memory` must outlive the model.
  Model(const Geometry& geometry, Memory& memory);

  // Throws ModelError (instruction, what) when the program misuses the machine.
  void execute(const Instruction& instruction);

  // All commands in order; gaps, fences and regions have no effect. `host` runs the CPU's operations; without it they
  // are an error.
  void run(const Program& program, const std::function<void(const HostOp&)>& host = {});

  // Told of every write to main memory by a command, in order.
  void on_store(std::function<void(std::uint64_t address, std::uint64_t bytes)> stored) { stored_ = std::move(stored); }

  [[nodiscard]] const Geometry& geometry() const { return geometry_; }
  [[nodiscard]] const Overflows& overflows() const { return overflows_; }
  [[nodiscard]] std::uint64_t commands() const { return commands_; }
  // Rows whose mean, variance or sum of exponentials the normaliser has divided, and the numbers of those whose sum was 0.
  [[nodiscard]] std::uint64_t divisions() const { return divisions_; }
  [[nodiscard]] const std::vector<std::uint64_t>& zero_divisions() const { return zero_divisions_; }
  // dim elements of a row.
  [[nodiscard]] const std::int8_t* scratchpad_row(std::uint32_t row) const {
    return state_.scratchpad.data() + offset(row, scratchpad_mask_);
  }
  [[nodiscard]] const std::int32_t* accumulator_row(std::uint32_t row) const {
    return state_.accumulator.data() + offset(row, accumulator_mask_);
  }

 private:
  void dispatch(Op op, const Instruction& instruction);

  // execute_load.cpp
  void config_load(const Instruction& instruction);
  void mvin(const Instruction& instruction, int state);
  void load_row(const model::LoadState& load, std::uint64_t dram, LocalAddress local, int cols);
  void write_repeated_pixels(std::uint32_t row, const std::int8_t* values, int count, int repeats);

  // execute_store.cpp
  void config_store(const Instruction& instruction);
  void mvout(const Instruction& instruction);
  void mvout_rows(std::uint64_t dram, LocalAddress local, int cols, int rows);
  void mvout_pooled(std::uint64_t dram, LocalAddress local, int cols);
  void mvout_flattened(std::uint64_t dram, LocalAddress local, int cols);
  // Appends what leaves of one block to `out` (int8 or int32 elements); a block that only feeds the statistics appends
  // nothing.
  void read_block(LocalAddress local, int cols, NormCommand command, std::vector<std::uint8_t>& out);

  // execute_norm.cpp
  void config_norm(const Instruction& instruction);
  // Books a block in the selected statistics; false when the row goes no further.
  bool collect(const std::int32_t* values, int cols, NormCommand command, std::uint32_t row, std::uint32_t group);
  void note_division(std::int64_t sum);
  void finish_layer_norm(model::RowStatistics& statistics);
  [[nodiscard]] std::size_t row_scale_index(std::uint32_t row, std::uint32_t group) const;
  void read_activated(LocalAddress local, int cols, std::int8_t* out);
  [[nodiscard]] std::int32_t exponential(std::int32_t q, bool& wrapped) const;
  // The accumulator word as the activation functions see it (extension E1).
  void read_shifted(std::uint32_t row, int cols, std::int32_t* out) const;

  // execute_compute.cpp
  void config_execute(const Instruction& instruction);
  void preload(const Instruction& instruction);
  void compute(const Instruction& instruction, bool flip);
  [[nodiscard]] model::Operand operand(std::uint32_t local, std::uint64_t cols, std::uint64_t rows) const;
  // A scratchpad matrix, 0 outside of rows x cols.
  void read_matrix(const model::Operand& operand, std::uint32_t stride, bool transpose, const char* name,
                   std::vector<float>& out) const;
  void write_result(const std::int32_t* result, int rows);

  // execute_loop_matmul.cpp, execute_loop_conv.cpp
  void config_matmul(Op op, const Instruction& instruction);
  void loop_matmul(const Instruction& instruction);
  // The products of a loop: `rows`, `columns` and `depth` tiles, the last of which may be short; operands at local rows from a, b and c on.
  struct LoopProducts {
    std::uint32_t i = 0, j = 0, k = 0;
    std::uint32_t pad_i = 0, pad_j = 0, pad_k = 0;
    std::uint32_t a = 0, b = 0, c = 0;
    bool a_transposed = false, b_transposed = false, accumulate = false;
  };
  // Does them all at once, with the result of the single instructions. False when they have to be done one by one.
  bool multiply_tiles(const LoopProducts& loop);
  void loop_residual(const model::MatmulSlot& slot, int slot_index);
  // Where LOOP_WS notes the row of tiles for extension E4.
  [[nodiscard]] std::uint32_t row_group_bits(std::uint32_t tile_row) const;
  void store_matmul(const model::MatmulSlot& slot, std::uint32_t base, const Instruction& loop);
  void store_normalised(const model::MatmulSlot& slot, std::uint32_t base, bool layer_norm, bool full_c,
                        std::uint32_t row_group);
  void config_conv(Op op, const Instruction& instruction);
  void loop_conv(const Instruction& instruction);

  [[nodiscard]] std::size_t offset(std::uint32_t row, std::uint32_t mask) const {
    return std::size_t{row & mask} * static_cast<std::size_t>(geometry_.dim);
  }
  [[nodiscard]] std::int8_t* scratchpad(std::uint32_t row) {
    return state_.scratchpad.data() + offset(row, scratchpad_mask_);
  }
  [[nodiscard]] std::int32_t* accumulator(std::uint32_t row) {
    return state_.accumulator.data() + offset(row, accumulator_mask_);
  }
  [[nodiscard]] std::uint32_t row_of(LocalAddress local) const { return local.row(row_bits_); }
  [[nodiscard]] bool is_garbage(LocalAddress local) const { return local.is_garbage(row_bits_); }
  // Bytes of main memory; outside of it is the program's fault.
  [[nodiscard]] std::uint8_t* dram(std::uint64_t address, std::uint64_t bytes, const char* use);
  [[nodiscard]] std::uint8_t* stored_dram(std::uint64_t address, std::uint64_t bytes) {
    std::uint8_t* const to = dram(address, bytes, "a store");
    if (stored_) stored_(address, bytes);
    return to;
  }
  [[noreturn]] void fail(const std::string& what) const;

  Geometry geometry_;
  Memory& memory_;
  std::function<void(std::uint64_t, std::uint64_t)> stored_;
  std::uint32_t scratchpad_mask_;
  std::uint32_t accumulator_mask_;
  int row_bits_;
  model::MachineState state_;
  Overflows overflows_;
  std::uint64_t commands_ = 0;
  std::uint64_t divisions_ = 0;
  std::vector<std::uint64_t> zero_divisions_;
  Instruction current_;  // for messages: the command of the program, and what a loop made of it
  Instruction unrolled_;
  bool in_loop_ = false;
  std::vector<std::uint8_t> row_buffer_;    // one output row
  std::vector<float> a_matrix_, b_matrix_;  // operands of the running compute
  std::vector<std::int32_t> c_matrix_;
  model::TileProduct tile_;
  std::vector<std::int8_t> transposed_;     // one tile
};

}  // namespace systole::isa
