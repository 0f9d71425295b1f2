#include "hw/execute/execute_controller.h"

#include <algorithm>

#include <fmt/format.h>

#include "hw/params/derived.h"

namespace systole::hw {
namespace {

std::vector<StateInfo> execute_states() {
  return {
      {"idle", StateKind::kIdle, "no command"},
      {"busy", StateKind::kBusy, "operand rows are fetched"},
      {"wait_command", StateKind::kStall, "the preload or compute that belongs to the first command has not come"},
      {"bank_conflict", StateKind::kStall, "two operands need the same scratchpad bank"},
      {"bank_busy", StateKind::kStall, "the scratchpad bank is written in this cycle or still holds an older row"},
      {"array_full", StateKind::kStall, "the control queue is full: the array has too many operations in flight"},
      {"hazard", StateKind::kStall, "an operand is the result of an operation still in the array"},
      {"drain", StateKind::kStall, "config_ex waits for the last completion"},
      {"flush", StateKind::kStall, "results are pushed out of the array"},
  };
}

constexpr unsigned bit(unsigned operand) { return 1u << operand; }

}  // namespace

ExecuteController::ExecuteController(const sc_core::sc_module_name& name, const MachineParams& params, Channel<IssuedCommand>& commands,
                                     ExecuteLinks& execute, ArrayLinks& array, BankPort& banks,
                                     PriorityMerge<Completion, kCompletionSources>& completions, BusyLine& busy, GemmArray* values,
                                     HazardLog* hazards)
    : Unit(name),
      dim_(params.array.dim),
      revision_(params.revision),
      row_bits_(row_bits(params)),
      field_mask_((1u << rows_bits(params)) - 1u),
      row_mask_((1u << row_bits(params)) - 1u),
      scratchpad_mask_(static_cast<std::uint32_t>(scratchpad_rows(params)) - 1u),
      bank_shift_(log2_ceil(scratchpad_bank_rows(params))),
      commands_(commands),
      execute_(execute),
      array_(array),
      banks_(banks),
      completions_(completions),
      busy_(busy),
      values_(values),
      hazards_(hazards),
      single_ported_(params.scratchpad.ports == 1),
      ledger_("execute", execute_states()) {
  commands_.bind_reader(*this, &wants_commands_);
  execute_.controller = this;
  array_.tags.bind_controller(*this);
  update_steering();
}

void ExecuteController::evaluate(Cycle now) {
  // The array's own completion goes first; then the two pending ones, in order.
  const std::array<Pending, 2> before = pending_;
  int completes = -1;
  if (!array_.tags.completed_in(now)) completes = before[0].valid ? 0 : before[1].valid ? 1 : -1;
  if (completes >= 0) {
    const Pending& pending = before[static_cast<unsigned>(completes)];
    completions_.offer(kCompletionExecute, now, Completion{pending.rob, pending.origin});
  }
  switch (state_) {
    case State::kWait: wait(now); break;
    case State::kCompute:
      if (running_) {
        run(now);
      } else {
        step(now);
      }
      break;
    case State::kFlush:
      // Also the request of an operation that is still in the control queue ends this state.
      if (execute_.reply_at == now && execute_.request_fired) {
        state_ = State::kFlushing;
        execute_.flush = false;
      }
      flushing(now);
      break;
    case State::kFlushing:
      if (execute_.reply_at == now && execute_.request_ready) {
        state_ = State::kWait;
        wake_at(now + 1);
      } else {
        flushing(now);
      }
      break;
  }
  // Clearing wins over a new entry of the same cycle (order of the assignments in ExecuteController.scala).
  if (completes >= 0) pending_[static_cast<unsigned>(completes)].valid = false;
  if (pending_[0].valid || pending_[1].valid || (completes >= 0 && !running_)) wake_at(now + 1);
  if (running_) return;
  // Right behind an operation we look again anyway; what happens before that turn in its cycle must not be missed.
  const bool looks_again = finished_ == now;
  const bool waits = state_ == State::kWait && !looks_again;
  array_.tags.set_controller_waits(waits);
  if (waits && array_.tags.changed_in(now)) wake_at(now + 1);
  if (!looks_again && !wants_commands_ && !commands_.empty()) wake_at(now + 1);
  wants_commands_ = !looks_again;
  update_busy(now);
}

void ExecuteController::flushing(Cycle now) {
  execute_.mesh_input->wake_at(now + 1);
  wake_at(now + 1);
}

// Commands count from the cycle in which they are visible here: the level rises one cycle late, falls in time. Nobody sees the difference,
// because a command keeps its reservation-station entry busy until long after.
void ExecuteController::update_busy(Cycle now) {
  const bool commands = taken_at_ == now ? commands_left_ : commands_.peek(now, 0) != nullptr;
  busy_.set(now, commands || array_.tags.in_progress_next());
}

void ExecuteController::wait(Cycle now) {
  const bool output_stationary = !array_.config.weight_stationary;
  const bool in_progress = array_.tags.in_progress(now);
  const IssuedCommand* h0 = commands_.peek(now, 0);
  if (h0 == nullptr) {
    if (in_progress && output_stationary) {
      enter_flush(now);
    } else {
      ledger_.enter(now, ExecuteState::kIdle);
    }
    return;
  }
  const auto operand = [](const IssuedCommand* command, bool second) {
    return static_cast<std::uint32_t>(second ? command->command.instruction.rs2 : command->command.instruction.rs1);
  };
  const IssuedCommand* h1 = commands_.peek(now, 1);
  const isa::Op op = h0->command.op;
  const bool is_compute = op == isa::Op::kComputeFlip || op == isa::Op::kComputeStay;
  const bool is_preload = op == isa::Op::kPreload;
  ExecuteState waiting = ExecuteState::kWaitCommand;

  if (is_preload && h1 != nullptr) {
    const std::array<std::uint32_t, 3> addresses{operand(h0, false), operand(h1, false), operand(h1, true)};
    if (!array_.tags.starts_at(now, addresses, row_bits_)) {
      start(now, MeshOpKind::kPreload);
      return;
    }
    waiting = ExecuteState::kHazard;
  } else if (is_compute) {
    const IssuedCommand* h2 = commands_.peek(now, 2);
    bool overlaps = h1 != nullptr && h1->command.op == isa::Op::kPreload && h2 != nullptr;
    if (overlaps) {
      const std::array<std::uint32_t, 3> addresses{operand(h1, false), operand(h2, false), operand(h2, true)};
      overlaps = !array_.tags.starts_at(now, addresses, row_bits_);
    }
    start(now, overlaps ? MeshOpKind::kMulPreload : MeshOpKind::kMul);
    return;
  } else if (!is_preload) {
    if (!in_progress && !pending_[0].valid && !pending_[1].valid) {
      configure(now, *h0);
      return;
    }
    waiting = ExecuteState::kDrain;
  }
  // A preload that waits for its compute lets the array flush, too (output-stationary).
  if (in_progress && (output_stationary || !is_preload)) {
    enter_flush(now);
    return;
  }
  ledger_.enter(now, waiting);
}

void ExecuteController::enter_flush(Cycle now) {
  ledger_.enter(now, ExecuteState::kFlush);
  state_ = State::kFlush;
  execute_.flush = true;
  execute_.flush_propagate = in_prop_flush(now + 1);
  flushing(now);
}

void ExecuteController::configure(Cycle now, const IssuedCommand& command) {
  using namespace isa::fields;
  ledger_.enter(now, ExecuteState::kBusy);
  if (command.command.op == isa::Op::kConfigEx) {
    const isa::Instruction& config = command.command.instruction;
    if (array_.config.weight_stationary) in_prop_flush_ = false;
    if (ConfigEx::set_only_strides.get(config) == 0) {
      const bool weight_stationary = ConfigEx::dataflow.get(config) != 0;
      if (weight_stationary != array_.config.weight_stationary) dataflow_since_ = now + 1;
      array_.config.weight_stationary = weight_stationary;
      array_.config.relu = ConfigEx::activation.get(config) == static_cast<std::uint64_t>(isa::Activation::kRelu);
      a_transpose_ = ConfigEx::a_transpose.get(config) != 0;
      bd_transpose_ = ConfigEx::b_transpose.get(config) != 0;
      shift_ = static_cast<std::uint8_t>(ConfigEx::in_shift.get(config) & 31u);   // five bits (ExecuteController.scala in_shift)
      const bool a_before = execute_.a_through_transposer;
      const bool b_before = execute_.b_through_transposer;
      update_steering();
      if (!execute_.control.empty() && (a_before != execute_.a_through_transposer || b_before != execute_.b_through_transposer)) {
        execute_.steering_changed = now;
        execute_.mesh_input->wake_at(now + 1);
      }
      if ((execute_.a_through_transposer ? 1 : 0) + (execute_.b_through_transposer ? 1 : 0) + (weight_stationary && bd_transpose_ ? 1 : 0) > 1) {
        throw ModelError(now, name(), text_of(command), "two operands would have to pass the only transposer");
      }
    }
    a_stride_ = static_cast<std::uint32_t>(ConfigEx::a_stride.get(config));
    array_.config.c_stride = static_cast<std::uint32_t>(ConfigEx::c_stride.get(config));
  }
  if (command.rob_valid) completions_.offer(kCompletionExecute, now, Completion{command.rob, command.command.origin});
  ++counters_.configs;
  take_commands(now, 1);
  wake_at(now + 1);
}

void ExecuteController::take_commands(Cycle now, unsigned count) {
  commands_left_ = commands_.peek(now, count) != nullptr;
  taken_at_ = now;
  commands_.drop(now, count);
}

void ExecuteController::update_steering() {
  const bool weight_stationary = array_.config.weight_stationary;
  execute_.a_through_transposer = weight_stationary ? a_transpose_ : !a_transpose_;
  execute_.b_through_transposer = !weight_stationary && bd_transpose_;
}

ExecuteController::Matrix ExecuteController::matrix(std::uint64_t operand) const {
  return {isa::LocalAddress(static_cast<std::uint32_t>(operand)), static_cast<unsigned>(operand >> 32) & field_mask_,
          static_cast<unsigned>(operand >> 48) & field_mask_};
}

void ExecuteController::start(Cycle now, MeshOpKind kind) {
  state_ = State::kCompute;
  kind_ = kind;
  op_ = static_cast<std::uint16_t>(op_ + 1u == execute_.ops.size() ? 0 : op_ + 1);
  const bool weight_stationary = array_.config.weight_stationary;
  const bool a_through = execute_.a_through_transposer;
  const bool b_through = execute_.b_through_transposer;
  const bool d_through = weight_stationary && bd_transpose_;

  // An operand that passes the transposer is fetched one operation early, with the preload in front of its compute.
  const IssuedCommand& h0 = *commands_.peek(now, 0);
  const unsigned preload_place = kind == MeshOpKind::kPreload ? 0 : 1;
  const unsigned a_place = kind == MeshOpKind::kPreload ? 1 : a_through ? 2 : 0;
  const unsigned b_place = kind == MeshOpKind::kPreload ? 1 : b_through ? 2 : 0;
  unsigned streamed = 0;
  switch (kind) {
    case MeshOpKind::kPreload: streamed = (a_through ? bit(kOperandA) : 0) | (b_through ? bit(kOperandB) : 0) | bit(kOperandD); break;
    case MeshOpKind::kMulPreload: streamed = bit(kOperandA) | bit(kOperandB) | bit(kOperandD); break;
    case MeshOpKind::kMul: streamed = (a_through ? 0 : bit(kOperandA)) | (b_through ? 0 : bit(kOperandB)); break;
  }

  const IssuedCommand* source[kOperands] = {commands_.peek(now, a_place), commands_.peek(now, b_place), commands_.peek(now, preload_place)};
  Matrix matrices[kOperands];
  if ((streamed & bit(kOperandA)) != 0) matrices[kOperandA] = matrix(source[kOperandA]->command.instruction.rs1);
  if ((streamed & bit(kOperandB)) != 0) matrices[kOperandB] = matrix(source[kOperandB]->command.instruction.rs2);
  if ((streamed & bit(kOperandD)) != 0) matrices[kOperandD] = matrix(source[kOperandD]->command.instruction.rs1);
  // The fields give the logical sizes; a transposed operand lies in memory the other way round.
  if (a_transpose_) std::swap(matrices[kOperandA].rows, matrices[kOperandA].cols);
  if (b_through) std::swap(matrices[kOperandB].rows, matrices[kOperandB].cols);
  if (d_through) std::swap(matrices[kOperandD].rows, matrices[kOperandD].cols);

  live_ = 0;
  accumulator_ = 0;
  static const char* const kNames[kOperands] = {"A", "B", "D"};
  for (unsigned x = 0; x < kOperands; ++x) {
    if ((streamed & bit(x)) == 0 || is_garbage(matrices[x])) continue;
    live_ |= bit(x);
    if (matrices[x].address.is_accumulator()) accumulator_ |= bit(x);
    check_operand(now, *source[x], kNames[x], matrices[x]);
    fetch_[x] = Fetch{matrices[x].address.row(row_bits_), matrices[x].rows, matrices[x].cols};
  }

  Matrix destination;
  bool dropped = true;
  if (kind != MeshOpKind::kMul) {
    destination = matrix(source[kOperandD]->command.instruction.rs2);
    dropped = is_garbage(destination);
  }
  if ((streamed & bit(kOperandA)) != 0 && (live_ & bit(kOperandA)) == 0) {
    const bool own_preload = a_place != 0;   // the preload in front of this compute is the one that starts now
    check_garbage_a(now, *source[kOperandA], matrices[kOperandA], matrix(source[kOperandA]->command.instruction.rs2),
                    own_preload ? dropped : destination_garbage_);
  }

  rows_total_ = static_cast<unsigned>(dim_);
  if (weight_stationary && (live_ & bit(kOperandD)) == 0 && !a_through && !d_through) {
    // One command retires per cycle, and two sums into one accumulator row must be four cycles apart (ExecuteController.scala total_rows).
    constexpr unsigned kLeastRows = 4;
    const unsigned a_rows = (live_ & bit(kOperandA)) != 0 ? fetch_[kOperandA].rows : 1;
    const unsigned b_rows = (live_ & bit(kOperandB)) != 0 ? fetch_[kOperandB].rows : 1;
    rows_total_ = std::max({a_rows, b_rows, kLeastRows});
    if (rows_total_ > static_cast<unsigned>(dim_)) {
      throw ModelError(now, name(), text_of(h0), fmt::format("{} rows, but the array has {}: the row counter never gets there", rows_total_, dim_));
    }
  }
  compute_flips_ = h0.command.op == isa::Op::kComputeFlip;

  MeshOp& op = execute_.ops[op_];
  op.kind = kind;
  op.weight_stationary = weight_stationary;
  op.a_transpose = a_transpose_;
  op.bd_transpose = bd_transpose_;
  op.a_through_transposer = a_through;
  op.b_through_transposer = b_through;
  op.shift = shift_;
  op.rows = static_cast<std::uint16_t>(rows_total_);
  op.live = live_;
  op.tag = ArrayTag{};
  if (!dropped) {
    const IssuedCommand& preload = *source[kOperandD];
    op.tag.valid = true;
    op.tag.rob = preload.rob;
    op.tag.origin = preload.command.origin;
    op.tag.destination = destination.address;
    op.tag.rows = static_cast<std::uint16_t>(destination.rows);
    op.tag.cols = static_cast<std::uint16_t>(destination.cols);
    op.tag.sequence = preload.command.sequence;
  }
  op.instruction = h0.command.instruction;
  op.sequence = h0.command.sequence;
  if (values_ != nullptr) values_->open(op_, live_);
  if (hazards_ != nullptr && kind == MeshOpKind::kMul && d_through && !h0.rob_valid) {
    const bool waits = commands_.peek(now, 2) != nullptr;
    hazards_->hazard(now, name(), op.instruction, op.sequence,
                     fmt::format("the transposed weights' second pass is not overlapped with it ({}), so they are lost in the transposer",
                                 waits ? "its garbage operand waits for a result in the accumulator's last row, which has the same row bits" : "the command queue is too short"));
  }
  if (!begin_run(now)) step(now);
}

// All operands in different banks, each in one bank, all of them ready: then every row step fires, until a bank or the queue stops it.
bool ExecuteController::begin_run(Cycle now) {
  if (!single_ported_ || execute_.row_by_row || accumulator_ != 0 || started_ != 0) return false;
  const unsigned size = execute_.control.size(now);
  if (size >= execute_.control.capacity()) return false;
  const auto dim = static_cast<unsigned>(dim_);
  ControlSegment& segment = execute_.control.next();
  segment = ControlSegment{};
  std::uint32_t first_row[kOperands] = {0, 0, 0};
  run_banks_ = 0;
  for (unsigned x = 0; x < kOperands; ++x) {
    run_last_read_[x] = 0;
    if ((live_ & bit(x)) == 0) continue;
    const std::uint32_t stride = x == kOperandA ? a_stride_ : 1;
    // Also rows that are zero take part in the comparison of banks.
    const std::uint32_t first = fetch_[x].row & scratchpad_mask_;
    const std::uint32_t span = (rows_total_ - 1) * stride;
    const std::uint32_t bank = first >> bank_shift_;
    if (span > scratchpad_mask_ || (first + span) >> bank_shift_ != bank || fetch_[x].row + span > row_mask_) return false;
    if ((run_banks_ >> bank & 1u) != 0) return false;
    run_banks_ |= 1u << bank;
    first_row[x] = first;
    segment.bank[x] = static_cast<std::uint8_t>(bank);
    const unsigned rows = std::min(fetch_[x].rows, rows_total_);
    segment.reads_from[x] = static_cast<std::uint16_t>(x == kOperandD ? dim - rows : 0);
    segment.reads_to[x] = static_cast<std::uint16_t>(x == kOperandD ? dim : rows);
    run_last_read_[x] = segment.reads_to[x];
  }
  if ((~banks_.ready(now) & run_banks_) != 0) return false;

  running_ = true;
  wants_commands_ = false;
  array_.tags.set_controller_waits(false);
  execute_.watched = run_banks_;
  run_start_ = now;
  segment.start = now;
  segment.count = static_cast<std::uint16_t>(rows_total_);
  segment.op = op_;
  segment.propagate = kind_ == MeshOpKind::kPreload ? in_prop_flush(now) : compute_flips_;
  const bool idle = execute_.control.empty();
  execute_.control.begin();
  if (idle) execute_.mesh_input->wake_at(execute_.control.due());
  // The array input may be asleep, waiting for room in the tag queue.
  if (!execute_.control.followed_by_input()) wake_at(now + std::min<Cycle>(rows_total_ - 1, execute_.control.capacity() - size));
  wake_at(now + rows_total_ - 1);
  const Cycle refusal = banks_.first_refusal(run_banks_, now + 1, now + rows_total_ - 1);
  if (refusal != kNever) wake_at(refusal);
  ledger_.enter(now, ExecuteState::kBusy);
  if (values_ != nullptr) {
    banks_.settle(now);
    for (unsigned x = 0; x < kOperands; ++x) {
      if ((live_ & bit(x)) == 0) continue;
      values_->fetch_all(op_, static_cast<Operand>(x), first_row[x], x == kOperandA ? a_stride_ : 1, static_cast<int>(fetch_[x].rows),
                         static_cast<int>(fetch_[x].cols), static_cast<int>(rows_total_));
    }
  }
  return true;
}

void ExecuteController::run(Cycle now) {
  const auto done = static_cast<unsigned>(now - run_start_);
  bool stops = !execute_.control.can_push(now);
  const std::uint32_t ready = banks_.ready(now);
  if ((~ready & run_banks_) != 0) {
    for (unsigned x = 0; x < kOperands; ++x) {
      if ((live_ & bit(x)) == 0 || done >= run_last_read_[x]) continue;
      const std::uint32_t bank = (fetch_[x].row & scratchpad_mask_) >> bank_shift_;
      if ((ready >> bank & 1u) == 0) stops = true;
    }
  }
  if (stops) {
    // From here on step by step. Rows from `done` on are fetched anew: a write that stops the run may change them.
    leave_run();
    count_reads(done);
    execute_.control.cut(done);
    execute_.mesh_input->wake_at(now + 1);
    for (unsigned& counter : counter_) counter = done;
    started_ = bit(kOperandA) | bit(kOperandB) | bit(kOperandD);
    a_offset_ = done * a_stride_;
    step(now);
    return;
  }
  if (done + 1 < rows_total_) {
    const Cycle refusal = banks_.first_refusal(run_banks_, now + 1, run_start_ + rows_total_ - 1);
    if (refusal != kNever) wake_at(refusal);
    return;
  }
  leave_run();
  count_reads(rows_total_);
  execute_.control.end();
  wake_at(now + 1);
  finish(now);
}

void ExecuteController::leave_run() {
  running_ = false;
  execute_.watched = 0;
}

// Rows that the first `steps` steps of a run have read.
void ExecuteController::count_reads(unsigned steps) {
  for (unsigned x = 0; x < kOperands; ++x) {
    if ((live_ & bit(x)) == 0) continue;
    const unsigned rows = std::min(fetch_[x].rows, rows_total_);
    const unsigned unread = x == kOperandD ? static_cast<unsigned>(dim_) - rows : 0;
    counters_.operand_rows += x == kOperandD ? std::max(steps, unread) - unread : std::min(steps, rows);
  }
}

// Rows that are really read must lie in the scratchpad and have columns.
void ExecuteController::check_operand(Cycle now, const IssuedCommand& command, const char* which, const Matrix& m) const {
  if (m.rows == 0) return;
  if (m.address.is_accumulator()) {
    throw ModelError(now, name(), text_of(command),
                     fmt::format("operand {} lies in the accumulator: the RTL never takes the accumulator's answer and hangs", which));
  }
  if (m.cols == 0) {
    throw ModelError(now, name(), text_of(command),
                     fmt::format("operand {} has {} rows of 0 columns: the RTL reads them but leaves them in the response queue", which, m.rows));
  }
}

// The RTL does not zero a garbage A: it multiplies what the accumulator's scaling unit happens to hold.
void ExecuteController::check_garbage_a(Cycle now, const IssuedCommand& compute, const Matrix& a, const Matrix& b, bool result_dropped) const {
  if (a.rows == 0 || a.cols == 0) return;
  const bool harmless = array_.config.weight_stationary ? result_dropped : (is_garbage(b) || b.rows == 0 || b.cols == 0);
  if (harmless) return;
  throw ModelError(now, name(), text_of(compute), "operand A is the garbage address: the RTL multiplies stale data; give it 0 rows or 0 columns");
}

void ExecuteController::step(Cycle now) {
  if (!execute_.control.can_push(now)) {
    ledger_.enter(now, ExecuteState::kArrayFull);   // woken when an entry leaves
    return;
  }
  wake_at(now + 1);
  const unsigned c[kOperands] = {counter_[0], counter_[1], counter_[2]};
  const auto dim = static_cast<unsigned>(dim_);
  // Position in its matrix and row of the memory, operand by operand; D enters bottom row first.
  const unsigned position[kOperands] = {c[kOperandA], c[kOperandB], dim - 1 - c[kOperandD]};
  const std::uint32_t offset[kOperands] = {a_offset_, position[kOperandB], position[kOperandD]};
  constexpr unsigned kAccumulatorBank = 0x80;   // all accumulator banks count as one
  std::uint32_t row[kOperands] = {0, 0, 0};
  unsigned bank[kOperands] = {0x100, 0x101, 0x102};
  unsigned real = 0;
  for (unsigned x = 0; x < kOperands; ++x) {
    if ((live_ & bit(x)) == 0) continue;
    row[x] = ((fetch_[x].row + offset[x]) & row_mask_) & scratchpad_mask_;
    bank[x] = (accumulator_ & bit(x)) != 0 ? kAccumulatorBank : row[x] >> bank_shift_;
    if (position[x] < fetch_[x].rows) real |= bit(x);
  }

  // Who may step: in one bank A goes before B before D, and nobody runs a row ahead of another.
  unsigned valid = bit(kOperandA) | bit(kOperandB) | bit(kOperandD);
  bool conflict = false;
  const auto started = [&](unsigned x) { return (started_ >> x & 1u) != 0; };
  const auto wrap = [&](unsigned v) { return v + 1 >= rows_total_ ? 0 : v + 1; };
  for (unsigned x = 0; x < kOperands; ++x) {
    for (unsigned y = 0; y < kOperands; ++y) {
      if (x == y) continue;
      if (y < x && bank[x] == bank[y] && started(x) == started(y) && c[x] == c[y]) {
        valid &= ~bit(x);
        conflict = true;
      }
      if (started(x) && c[x] == wrap(c[y])) valid &= ~bit(x);
    }
  }

  const unsigned reads = valid & real;
  unsigned fire = valid;
  const std::uint32_t ready = banks_.ready(now);
  if (values_ != nullptr && reads != 0) banks_.settle(now);
  for (unsigned x = 0; x < kOperands; ++x) {
    if ((reads & bit(x)) == 0) continue;
    if ((ready >> bank[x] & 1u) == 0) {
      fire &= ~bit(x);
      continue;
    }
    ++counters_.operand_rows;
  }
  ledger_.enter(now, fire != valid ? ExecuteState::kBankBusy : conflict ? ExecuteState::kBankConflict : ExecuteState::kBusy);

  ControlSegment entry;
  entry.start = now;
  entry.op = op_;
  entry.fire = static_cast<std::uint8_t>(fire);
  entry.first = started_ == 0;
  entry.propagate = kind_ == MeshOpKind::kPreload ? in_prop_flush(now) : compute_flips_;
  bool about = started_ != 0;
  for (unsigned x = 0; x < kOperands; ++x) {
    entry.bank[x] = static_cast<std::uint8_t>(bank[x]);
    entry.step[x] = static_cast<std::uint16_t>(c[x]);
    entry.reads_to[x] = (fire & reads & bit(x)) != 0 ? 1 : 0;
    const bool fires = (fire & bit(x)) != 0;
    if (!(c[x] == 0 || (c[x] + 1 == rows_total_ && fires))) about = false;
    if (!fires) continue;
    counter_[x] = wrap(c[x]);
    started_ |= bit(x);
    if (values_ != nullptr && (live_ & bit(x)) != 0) {
      if ((real & bit(x)) != 0) {
        values_->fetch(op_, static_cast<Operand>(x), static_cast<int>(c[x]), row[x], static_cast<int>(fetch_[x].cols));
      } else {
        values_->fetch_zero(op_, static_cast<Operand>(x), static_cast<int>(c[x]));
      }
    }
  }
  if ((fire & bit(kOperandA)) != 0) a_offset_ = c[kOperandA] + 1 == rows_total_ ? 0 : a_offset_ + a_stride_;
  const bool idle = execute_.control.empty();
  execute_.control.push(entry);
  if (idle) execute_.mesh_input->wake_at(execute_.control.due());
  if (about) finish(now);
}

// All rows are on their way: the commands leave the queue.
void ExecuteController::finish(Cycle now) {
  started_ = 0;
  state_ = State::kWait;
  finished_ = now;
  const IssuedCommand& h0 = *commands_.peek(now, 0);
  const bool output_stationary = !array_.config.weight_stationary;
  ++counters_.operations;

  if (kind_ != MeshOpKind::kPreload) {
    pending_[0] = pending_of(h0);
    if (h0.rob_valid) {
      ++counters_.computes;
      const Matrix a = matrix(h0.command.instruction.rs1);
      const Matrix b = matrix(h0.command.instruction.rs2);
      const std::uint64_t cols = output_stationary ? (is_garbage(b) ? 0 : b.cols) : destination_cols_;
      if (!is_garbage(a)) counters_.macs += std::uint64_t{a.rows} * a.cols * cols;
    }
  }
  if (kind_ != MeshOpKind::kMul) {
    const IssuedCommand& preload = kind_ == MeshOpKind::kPreload ? h0 : *commands_.peek(now, 1);
    const Matrix destination = matrix(preload.command.instruction.rs2);
    destination_garbage_ = is_garbage(destination);
    destination_cols_ = std::min(destination.cols, static_cast<unsigned>(dim_));
    if (preload.rob_valid && (live_ & bit(kOperandD)) != 0) ++counters_.preloads;
    Pending& pending = pending_[kind_ == MeshOpKind::kPreload ? 0 : 1];
    pending = pending_of(preload);
    pending.valid = pending.valid && destination_garbage_;
    if (output_stationary) in_prop_flush_ = !destination_garbage_;
  }
  if (kind_ == MeshOpKind::kMulPreload) ++counters_.overlapped;
  take_commands(now, kind_ == MeshOpKind::kMulPreload ? 2 : 1);
}

std::string ExecuteController::text_of(const IssuedCommand& command) const {
  return fmt::format("command {}: {}", command.command.sequence, isa::disassemble(command.command.instruction, revision_));
}

std::string ExecuteController::state_text() const {
  if (commands_.empty() && state_ == State::kWait && array_.tags.size() == 0) return {};
  static const char* const kStates[] = {"waiting", "fetching", "flush", "flushing"};
  std::string text = fmt::format("{}, {} commands", kStates[static_cast<unsigned>(state_)], commands_.size());
  if (state_ == State::kCompute) {
    text += fmt::format(", rows A {} B {} D {} of {}, {}", counter_[0], counter_[1], counter_[2], rows_total_,
                        isa::disassemble(execute_.ops[op_].instruction, revision_));
  }
  return text;
}

// An operation whose rows are in the control queue, or to be fetched.
void ExecuteController::residual_of_operation(Residual& r, MeshOp& op) {
  r(op.kind);
  r(op.weight_stationary);
  r(op.a_transpose);
  r(op.bd_transpose);
  r(op.a_through_transposer);
  r(op.b_through_transposer);
  r(op.shift);
  r(op.rows);
  r(op.live);
  residual_of(r, op.tag);
  residual_of(r, op.instruction);
  r.sequence(op.sequence);
}

// Also of the links, whose registers are this unit's. The place of the next operation in the ring matters to nobody.
void ExecuteController::residual(Residual& r) {
  r(state_);
  for (Pending& pending : pending_) {
    r(pending.valid);
    if (!pending.valid) continue;
    residual_of(r, pending.rob);
    r(pending.origin);
  }
  const auto places = static_cast<unsigned>(execute_.ops.size());
  execute_.control.residual(r, op_, places);
  std::uint64_t used = execute_.control.operations();
  if (state_ == State::kCompute) used |= std::uint64_t{1} << op_;
  for (unsigned i = 0; i < places; ++i) {
    const unsigned place = (op_ + places - i) % places;
    if ((used >> place & 1u) != 0) residual_of_operation(r, execute_.ops[place]);
  }
  r(execute_.flush);
  r(execute_.watched);
  r(running_);
  if (state_ == State::kCompute) {
    r(kind_);
    r(rows_total_);
    r(live_);
    r(accumulator_);
    r(compute_flips_);
    for (unsigned x = 0; x < kOperands; ++x) {
      if ((live_ & bit(x)) == 0) continue;
      r.operand(fetch_[x].row);
      r(fetch_[x].rows);
      r(fetch_[x].cols);
    }
  }
  if (running_) {
    r.since(run_start_);
    r(run_banks_);
    for (unsigned& last : run_last_read_) r(last);
  }
  r(started_);
  r.time(finished_);
  r(wants_commands_);
  r.time(taken_at_);
  r(commands_left_);
  r(a_transpose_);
  r(bd_transpose_);
  r(shift_);
  r(a_stride_);
  r(in_prop_flush_);
  r.time(dataflow_since_);
  for (unsigned& counter : counter_) r(counter);
  r(a_offset_);
  r(destination_cols_);
  r(destination_garbage_);
  r(execute_.flush_propagate);
  r(execute_.a_through_transposer);
  r(execute_.b_through_transposer);
  r.time(execute_.steering_changed);
  r.time(execute_.reply_at);
  r(execute_.request_ready);
  r(execute_.request_fired);
  r(array_.config.weight_stationary);
  r(array_.config.relu);
  r(array_.config.c_stride);
  for (std::uint64_t* counter : {&counters_.computes, &counters_.preloads, &counters_.configs, &counters_.operations, &counters_.overlapped,
                                 &counters_.macs, &counters_.operand_rows}) {
    r.count(*counter);
  }
  busy_.residual(r);
  ledger_.residual(r);
}

}  // namespace systole::hw
