#include "hw/datapath/gemm_array.h"

#include <algorithm>

#include "hw/params/derived.h"

namespace systole::hw {
namespace {

constexpr std::int64_t kLargestProduct = 128 * 128;
constexpr std::int64_t kLargestAddend = 128;

// Requests whose rows can be between entry and exit: the tag queue's, and flushes, which have `dim` rows each and no tag. A power of two.
std::size_t outputs_in_flight(const MachineParams& m) {
  const auto requests = static_cast<std::size_t>(simultaneous_matmuls(m) + array_latency(m) / m.array.dim + 4);
  std::size_t count = 8;
  while (count < requests) count *= 2;
  return count;
}

// Rounds half to even (Arithmetic.scala, SInt >>).
std::int32_t rounding_shift(std::int32_t x, int shift) {
  if (shift == 0) return x;
  const bool half = ((x >> (shift - 1)) & 1) != 0;
  const bool sticky = shift > 1 && (static_cast<std::uint32_t>(x) & ((1u << (shift - 1)) - 1u)) != 0;
  const bool odd = ((x >> shift) & 1) != 0;
  return (x >> shift) + (half && (sticky || odd) ? 1 : 0);
}

void transpose(int dim, const std::int8_t* from, std::int8_t* to) {
  for (int r = 0; r < dim; ++r) {
    for (int c = 0; c < dim; ++c) to[c * dim + r] = from[r * dim + c];
  }
}

}  // namespace

unsigned operand_buffers(const MachineParams& params) {
  const unsigned needed = static_cast<unsigned>(params.scratchpad.read_delay + 1) / 4 + 5;
  unsigned count = 8;
  while (count < needed) count *= 2;
  return count;
}

GemmArray::GemmArray(const MachineParams& params, ValuePlane& plane)
    : dim_(params.array.dim),
      spare_bits_(32 - params.array.output_bits),
      products_fit_(params.array.dim * kLargestProduct + kLargestAddend < std::int64_t{1} << (params.array.output_bits - 1)),
      plane_(plane),
      kernel_(gemm_kernels(params.array.dim).back()),
      operands_(operand_buffers(params) + 1),
      flush_buffer_(operand_buffers(params)),
      outputs_(outputs_in_flight(params)) {
  const std::size_t elements = static_cast<std::size_t>(dim_) * dim_;
  for (Operands& o : operands_) {
    for (auto& rows : o.rows) rows.resize(elements);
  }
  for (Register& reg : registers_) {
    reg.weights.resize(elements);
    reg.sums.resize(elements);
    reg.packed.resize(kernel_->packed_bytes(dim_) + 64);
    reg.zero_rows = dim_;
  }
  for (Output& output : outputs_) output.rows.resize(elements);
  in_transposer_.resize(elements);
  transposed_.resize(elements);
  weights_scratch_.resize(elements);
  scratch_.resize(kernel_->packed_bytes(dim_) + 64);
}

void GemmArray::open(std::uint32_t operands, unsigned live) { operands_[operands].live = live; }

void GemmArray::fetch_all(std::uint32_t operands, Operand which, std::uint32_t first, std::uint32_t stride, int rows, int cols, int total) {
  std::int8_t* to = operands_[operands].rows[which].data();
  const auto width = static_cast<std::size_t>(dim_);
  rows = std::min(rows, total);
  if (stride == 1 && cols >= dim_) {
    std::memcpy(to, plane_.scratchpad_row(first), static_cast<std::size_t>(rows) * width);
  } else {
    for (int r = 0; r < rows; ++r) {
      std::int8_t* row = to + static_cast<std::size_t>(r) * width;
      std::memcpy(row, plane_.scratchpad_row(first + static_cast<std::uint32_t>(r) * stride), width);
      if (cols < dim_) std::memset(row + cols, 0, width - static_cast<std::size_t>(cols));
    }
  }
  if (rows < total) std::memset(to + static_cast<std::size_t>(rows) * width, 0, static_cast<std::size_t>(total - rows) * width);
}

void GemmArray::begin(std::uint16_t request, const GemmRequest& what) {
  SYSTOLE_CHECK(!running_);
  running_ = true;
  current_ = what;
  current_number_ = request;
  outputs_[request & (outputs_.size() - 1)].computed = 0;
  if (what.toggle) propagate_ = !propagate_;
  // D enters the transposer upside down and mirrored. The matrix inside is kept the right way round for who takes it out now.
  if ((what.transpose_a || what.transpose_b || what.transpose_d) && transposer_holds_d_ != what.transpose_d) {
    std::reverse(in_transposer_.begin(), in_transposer_.end());
    transposer_holds_d_ = what.transpose_d;
  }
  if (what.flush) {
    fill_flush_rows();
    last_operands_ = flush_buffer_;
  } else {
    last_operands_ = what.operands;
  }
}

// The row buffers keep what entered last; a flush feeds that again and again.
void GemmArray::fill_flush_rows() {
  const Operands& last = operands_[last_operands_];
  Operands& flush = operands_[flush_buffer_];
  if (&last == &flush) return;
  flush.live = last.live;
  for (const Operand which : {kOperandA, kOperandB, kOperandD}) {
    if ((last.live >> which & 1u) == 0) continue;
    const int step = last_rows_ - 1;
    const int row = which == kOperandD ? dim_ - 1 - step : step;
    const std::int8_t* from = last.rows[which].data() + static_cast<std::size_t>(row) * dim_;
    for (int r = 0; r < dim_; ++r) std::memcpy(flush.rows[which].data() + static_cast<std::size_t>(r) * dim_, from, static_cast<std::size_t>(dim_));
  }
}

void GemmArray::enter_first(bool right_behind_begin) {
  // The shift passes a register that the other control signals do not pass (MeshWithDelays.scala result_shift).
  const int shift = right_behind_begin ? last_shift_ : current_.shift;
  last_shift_ = current_.shift;
  const bool flip = propagate_ != last_propagate_;
  last_propagate_ = propagate_;
  if (!current_.weight_stationary) drain(flip ? shift : 0);
}

void GemmArray::end() {
  SYSTOLE_CHECK(running_);
  if (current_.weight_stationary) {
    if (current_.wanted) compute_rows(current_.rows);
    shift_weights_in();
  } else {
    accumulate();
    load_sums();
  }
  transpose_in();
  last_rows_ = current_.rows;
  running_ = false;
}

const std::int32_t* GemmArray::output(std::uint16_t request, int step, int entered) {
  Output& output = outputs_[request & (outputs_.size() - 1)];
  if (step >= output.computed) {
    // An array so shallow that results leave before the last operand row has come.
    SYSTOLE_CHECK(running_ && request == current_number_ && current_.weight_stationary && step < entered);
    compute_rows(entered);
  }
  return output.rows.data() + static_cast<std::size_t>(step) * dim_;
}

std::uint8_t* GemmArray::packed(Register& reg) {
  auto address = reinterpret_cast<std::uintptr_t>(reg.packed.data());
  auto* aligned = reg.packed.data() + (64 - address % 64) % 64;
  if (!reg.packed_valid) {
    if (reg.wide) {
      for (std::size_t i = 0; i < reg.weights.size(); ++i) reg.weights[i] = static_cast<std::int8_t>(reg.sums[i]);
      reg.zero_rows = 0;
    }
    kernel_->pack(dim_, reg.weights.data(), aligned);
    reg.packed_valid = true;
  }
  return aligned;
}

void GemmArray::make_wide(Register& reg) {
  if (reg.wide) return;
  for (std::size_t i = 0; i < reg.weights.size(); ++i) reg.sums[i] = reg.weights[i];
  reg.wide = true;
}

// Weight-stationary: rows that have entered and are not multiplied yet.
void GemmArray::compute_rows(int until) {
  Output& output = outputs_[current_number_ & (outputs_.size() - 1)];
  const int from = output.computed;
  if (from >= until) return;
  const Operands& in = operands();
  const std::int8_t* a = in.rows[kOperandA].data();
  bool a_zero = (in.live >> kOperandA & 1u) == 0;
  if (current_.transpose_a) {
    if (from == 0) transpose(dim_, in_transposer_.data(), transposed_.data());
    a = transposed_.data();
    a_zero = transposer_zero_;
  }
  const std::size_t first = static_cast<std::size_t>(from) * dim_;
  const std::size_t count = static_cast<std::size_t>(until - from) * dim_;
  const bool b_live = (in.live >> kOperandB & 1u) != 0;
  const std::int8_t* b = in.rows[kOperandB].data() + first;
  std::int32_t* out = output.rows.data() + first;
  if (a_zero) {
    for (std::size_t i = 0; i < count; ++i) out[i] = b_live ? b[i] : 0;
  } else {
    Register& active = registers_[propagate_ ? 1 : 0];
    const GemmAddend addend = b_live ? GemmAddend::kInt8 : GemmAddend::kZero;
    if (products_fit_) {
      kernel_->multiply(dim_, until - from, a + first, packed(active), addend, b, out, spare_bits_);
    } else {
      multiply_counting(until - from, a + first, packed(active), addend, b, out);
    }
  }
  output.computed = until;
}

void GemmArray::multiply_counting(int rows, const std::int8_t* a, const std::uint8_t* packed, GemmAddend addend, const std::int8_t* addend8, std::int32_t* out) {
  kernel_->multiply(dim_, rows, a, packed, addend, addend8, out, 0);
  std::uint32_t wrapped = 0;
  for (int i = 0; i < rows * dim_; ++i) {
    const std::int32_t sum = wrap_to(out[i], spare_bits_);
    wrapped += sum != out[i] ? 1u : 0u;
    out[i] = sum;
  }
  overflows_ += wrapped;
}

// Weight-stationary: D moves down through the idle register, one row of the array per row of the request.
void GemmArray::shift_weights_in() {
  Register& idle = registers_[propagate_ ? 0 : 1];
  const Operands& in = operands();
  const std::size_t width = static_cast<std::size_t>(dim_);
  const bool zero = current_.transpose_d ? transposer_zero_ : (in.live >> kOperandD & 1u) == 0;
  if (current_.rows == dim_) {
    if (!zero) {
      if (current_.transpose_d) {
        transpose(dim_, in_transposer_.data(), idle.weights.data());
      } else {
        std::memcpy(idle.weights.data(), in.rows[kOperandD].data(), width * width);
      }
      idle.zero_rows = 0;
      idle.wide = false;
      idle.packed_valid = false;
      return;
    }
    if (!idle.wide && idle.zero_rows == dim_) return;
    std::fill(idle.weights.begin(), idle.weights.end(), std::int8_t{0});
    idle.zero_rows = dim_;
    idle.wide = false;
    idle.packed_valid = false;
    return;
  }
  // Fewer rows: there are no real weights in the request (ExecuteController.scala total_rows), so zeros enter from above.
  const std::size_t moved = static_cast<std::size_t>(current_.rows) * width;
  if (idle.wide) {
    for (std::size_t i = idle.sums.size(); i-- > moved;) idle.sums[i] = wrap_to(idle.sums[i - moved], spare_bits_);
    std::fill_n(idle.sums.begin(), moved, 0);
    idle.packed_valid = false;
  } else if (idle.zero_rows < dim_) {
    std::memmove(idle.weights.data() + moved, idle.weights.data(), idle.weights.size() - moved);
    std::memset(idle.weights.data(), 0, moved);
    idle.zero_rows = std::min(dim_, idle.zero_rows + current_.rows);
    idle.packed_valid = false;
  }
}

// Output-stationary: the idle register leaves at the bottom, shifted and rounded once, in its own processing element.
void GemmArray::drain(int shift) {
  if (!current_.wanted) return;
  Register& idle = registers_[propagate_ ? 0 : 1];
  make_wide(idle);
  Output& output = outputs_[current_number_ & (outputs_.size() - 1)];
  const std::int32_t top = static_cast<std::int32_t>((std::uint32_t{1} << (31 - spare_bits_)) - 1u);
  for (int r = 0; r < current_.rows; ++r) {
    const std::int32_t* from = idle.sums.data() + static_cast<std::size_t>(dim_ - 1 - r) * dim_;
    std::int32_t* to = output.rows.data() + static_cast<std::size_t>(r) * dim_;
    for (int j = 0; j < dim_; ++j) to[j] = std::clamp(rounding_shift(from[j], shift), -top - 1, top);
  }
  output.computed = current_.rows;
}

// Output-stationary: step r of the request adds a_r[i] * b_r[j] to element (i, j).
void GemmArray::accumulate() {
  const Operands& in = operands();
  const bool a_zero = current_.transpose_a ? transposer_zero_ : (in.live >> kOperandA & 1u) == 0;
  const bool b_zero = current_.transpose_b ? transposer_zero_ : (in.live >> kOperandB & 1u) == 0;
  if (a_zero || b_zero) return;
  const std::int8_t* a = in_transposer_.data();
  if (!current_.transpose_a) {
    transpose(dim_, in.rows[kOperandA].data(), transposed_.data());
    a = transposed_.data();
  }
  const std::int8_t* b = in.rows[kOperandB].data();
  if (current_.transpose_b) {
    transpose(dim_, in_transposer_.data(), weights_scratch_.data());
    b = weights_scratch_.data();
  }
  Register& active = registers_[propagate_ ? 1 : 0];
  make_wide(active);
  auto* aligned = scratch_.data() + (64 - reinterpret_cast<std::uintptr_t>(scratch_.data()) % 64) % 64;
  kernel_->pack(dim_, b, aligned);
  multiply_counting(dim_, a, aligned, GemmAddend::kOutput, nullptr, active.sums.data());
  active.packed_valid = false;
}

// Output-stationary: D fills the register that was drained.
void GemmArray::load_sums() {
  Register& idle = registers_[propagate_ ? 0 : 1];
  const Operands& in = operands();
  idle.wide = false;
  idle.packed_valid = false;
  if ((in.live >> kOperandD & 1u) == 0) {
    if (idle.zero_rows != dim_) std::fill(idle.weights.begin(), idle.weights.end(), std::int8_t{0});
    idle.zero_rows = dim_;
  } else {
    std::memcpy(idle.weights.data(), in.rows[kOperandD].data(), idle.weights.size());
    idle.zero_rows = 0;
  }
}

void GemmArray::transpose_in() {
  if (!current_.transpose_a && !current_.transpose_b && !current_.transpose_d) return;
  const Operand which = current_.transpose_d ? kOperandD : current_.transpose_b ? kOperandB : kOperandA;
  const Operands& in = operands();
  transposer_zero_ = (in.live >> which & 1u) == 0;
  if (!transposer_zero_) std::memcpy(in_transposer_.data(), in.rows[which].data(), in_transposer_.size());
}

}  // namespace systole::hw
