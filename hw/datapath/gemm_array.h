#pragma once
// The values inside the systolic array, one matrix multiplication (request) at a time: operand buffers, the two registers of every
// processing element, the transposer, and the rows on their way out (PE.scala, Mesh.scala, Transposer.scala, MeshWithDelays.scala).
// ExecuteController fills operand buffers, MeshInput runs requests through the array, SystolicArray takes the result rows.
//
// In weight-stationary mode one register multiplies while weights are shifted through the other, in output-stationary mode one accumulates
// while the other is shifted out; `propagate` exchanges them.
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "hw/datapath/gemm.h"
#include "hw/datapath/value_plane.h"

namespace systole::hw {

// Operations that are between their first fetch and their last row at a time: those with rows in the control queue (at least four rows each),
// the one that is fetched, the one that runs, and a spare one whose last rows a flush repeats. A power of two.
[[nodiscard]] unsigned operand_buffers(const MachineParams& params);

enum Operand : unsigned { kOperandA, kOperandB, kOperandD, kOperands };

// How a request uses the array.
struct GemmRequest {
  std::uint32_t operands = 0;          // buffer that ExecuteController filled; ignored by a flush
  int rows = 0;
  bool flush = false;                  // the rows left in the row buffers enter `rows` times
  bool weight_stationary = false;
  bool toggle = false;                 // exchange the roles of the two registers
  int shift = 0;                       // rounding right shift of output-stationary results
  bool transpose_a = false;            // operand that passes the transposer, at most one
  bool transpose_b = false;
  bool transpose_d = false;
  bool wanted = false;                 // result rows are written somewhere
};

class GemmArray {
 public:
  GemmArray(const MachineParams& params, ValuePlane& plane);

  // ---- ExecuteController: operands of an operation. `live`: bit per operand that is fetched or zero-padded; the others are zero.
  void open(std::uint32_t operands, unsigned live);
  // Row `step` of an operand is the scratchpad's row `row` as of now, columns from `cols` on are zero. D enters bottom row first.
  void fetch(std::uint32_t operands, Operand which, int step, std::uint32_t row, int cols) {
    std::int8_t* to = step_row(operands, which, step);
    std::memcpy(to, plane_.scratchpad_row(row), static_cast<std::size_t>(dim_));
    if (cols < dim_) std::memset(to + cols, 0, static_cast<std::size_t>(dim_ - cols));
  }
  void fetch_zero(std::uint32_t operands, Operand which, int step) {
    std::memset(step_row(operands, which, step), 0, static_cast<std::size_t>(dim_));
  }
  // All rows of an operand at once: row i of the matrix is the scratchpad's row first + i * stride; from `rows` on up to `total` they are zero.
  // The rows of the memory must not wrap.
  void fetch_all(std::uint32_t operands, Operand which, std::uint32_t first, std::uint32_t stride, int rows, int cols, int total);

  // ---- MeshInput: one request at a time. begin when it fires, enter_first with its first row, end after the last row has entered.
  void begin(std::uint16_t request, const GemmRequest& what);
  void enter_first(bool right_behind_begin);
  void end();

  // ---- SystolicArray: row `step` of a wanted request, in the order in which rows leave (output-stationary: bottom row first). `entered`: rows
  // of the request that have entered by now.
  [[nodiscard]] const std::int32_t* output(std::uint16_t request, int step, int entered);

  // Adds `words` to accumulator rows.
  void accumulate_rows(std::int32_t* to, const std::int32_t* words, int count) { plane_.count_overflows(kernel_->accumulate(to, words, count)); }

  [[nodiscard]] ValuePlane& plane() { return plane_; }
  // Partial sums that did not fit array.output_bits.
  [[nodiscard]] std::uint64_t overflows() const { return overflows_; }
  [[nodiscard]] int dim() const { return dim_; }

 private:
  // Rows of zeros are common (garbage operands): `live` says which matrices have to be looked at.
  struct Operands {
    unsigned live = 0;
    std::vector<std::int8_t> rows[kOperands];
  };
  // c1 or c2 of all processing elements. Weights are int8; partial sums need the full width.
  struct Register {
    bool wide = false;                       // `sums` is valid, otherwise `weights`
    bool packed_valid = false;
    int zero_rows = 0;                       // of `weights`, from the top
    std::vector<std::int8_t> weights;
    std::vector<std::int32_t> sums;
    std::vector<std::uint8_t> packed;        // `weights` as the kernel wants them, with room to align
  };
  struct Output {
    std::vector<std::int32_t> rows;
    int computed = 0;
  };

  [[nodiscard]] std::int8_t* step_row(std::uint32_t operands, Operand which, int step) {
    const int row = which == kOperandD ? dim_ - 1 - step : step;
    return operands_[operands].rows[which].data() + static_cast<std::size_t>(row) * dim_;
  }
  [[nodiscard]] const Operands& operands() const { return operands_[current_.flush ? flush_buffer_ : current_.operands]; }
  [[nodiscard]] std::uint8_t* packed(Register& reg);
  void make_wide(Register& reg);
  void fill_flush_rows();
  void transpose_in();
  void drain(int shift);
  void compute_rows(int until);
  // A product whose sums may not fit: kernel_ with all 32 bits, then wrapped and counted.
  void multiply_counting(int rows, const std::int8_t* a, const std::uint8_t* packed, GemmAddend addend, const std::int8_t* addend8, std::int32_t* out);
  void accumulate();
  void shift_weights_in();
  void load_sums();

  int dim_;
  int spare_bits_;
  bool products_fit_;                        // no sum of one product and an int8 can leave array.output_bits
  std::uint64_t overflows_ = 0;
  ValuePlane& plane_;
  const GemmKernel* kernel_;
  std::vector<Operands> operands_;           // ring of the controller, and one more for flushes
  std::uint32_t flush_buffer_;
  std::uint32_t last_operands_ = 0;          // whose last rows are in the row buffers
  int last_rows_ = 1;
  Register registers_[2];                    // c1, c2
  bool propagate_ = false;                   // in_prop
  bool last_propagate_ = false;              // the processing elements' own copy (PE.scala last_s)
  int last_shift_ = 0;                       // of the previous request: its first row may still see it
  std::vector<std::int8_t> in_transposer_;   // the matrix that went in last
  bool transposer_holds_d_ = false;          // and is kept as D, not as the rotated matrix that the registers hold
  bool transposer_zero_ = true;
  std::vector<std::int8_t> transposed_;
  std::vector<Output> outputs_;
  std::vector<std::int8_t> weights_scratch_;
  std::vector<std::uint8_t> scratch_;        // packed operand B of an output-stationary request
  GemmRequest current_;
  std::uint16_t current_number_ = 0;
  bool running_ = false;
};

}  // namespace systole::hw
