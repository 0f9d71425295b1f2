#include "hw/execute/mesh_input.h"

#include <algorithm>

#include <fmt/format.h>

#include "hw/params/derived.h"

namespace systole::hw {

MeshInput::MeshInput(const sc_core::sc_module_name& name, const MachineParams& params, ExecuteLinks& execute, ArrayLinks& array,
                     GemmArray* values, HazardLog* hazards)
    : Unit(name),
      dim_(params.array.dim),
      ids_(static_cast<unsigned>(simultaneous_matmuls(params))),
      execute_(execute),
      array_(array),
      values_(values),
      hazards_(hazards),
      stale_(execute.control.capacity()) {
  execute_.mesh_input = this;
  array_.tags.bind_input(*this);
}

void MeshInput::evaluate(Cycle now) {
  if (following_ && !resume(now)) return;
  const bool enters = request_valid_ && (written_ == kAll || flush_ != 0);
  const bool last = enters && row_ + 1 == total_rows_;
  const bool request_ready = (!request_valid_ || last) && array_.tags.has_room(now);
  const unsigned accepts = (enters || request_ready) ? kAll : (~written_ & kAll);

  const ControlSegment* head = execute_.control.front(now);
  unsigned fired = 0;
  bool leaves = false;
  bool offers = execute_.flush;
  if (head != nullptr) {
    fired = head->fire & accepts;
    if (execute_.control.due() > now) fired &= ~head->waits(head->taken);
    // An operand that the row buffer cannot take does not hold the entry (ExecuteController.scala, mesh_cntl_signals_q.io.deq.ready).
    leaves = (head->fire & ~fired & accepts) == 0 && (!(head->first && head->taken == 0) || request_ready);
    offers = leaves && head->fire != 0;
  }
  const bool request_fires_now = offers && request_ready;

  if (enters) row_enters(now, last);
  written_ |= fired;
  if (leaves) take_row(now, *head, fired);
  if (request_fires_now) {
    request_fires(now, head);
  } else if (last) {
    request_valid_ = flush_ > 1;
    flush_ = (flush_ - 1) & 3u;
  }
  if (leaves) {
    if (!execute_.control.growing() && !execute_.control.can_push(now)) execute_.controller->wake_at(now);
    // A segment without a hitch that covers the whole operation needs no look until its last row.
    const bool whole = request_fires_now && head->count > 1 && head->taken == 0 && head->count == total_rows_ && fired == kAll &&
                       now >= head->start + execute_.control.latency();
    if (whole) {
      follow(now);
    } else {
      execute_.control.pop();
    }
  }
  execute_.reply_at = now;
  execute_.request_ready = request_ready;
  execute_.request_fired = request_fires_now;
  plan(now, leaves);
}

// From the request's cycle on, one row leaves the control queue per cycle and enters the array in the next.
void MeshInput::follow(Cycle now) {
  following_ = true;
  execute_.control.follow(now);
  array_.rows.push_run(MeshRows{now + 1, static_cast<std::uint16_t>(total_rows_), 0, 0, number_, static_cast<std::uint8_t>(id_), true});
  first_entered_ = true;
  if (values_ != nullptr) values_->enter_first(true);
}

// While a segment is followed: is there something to do in this cycle?
bool MeshInput::resume(Cycle now) {
  const ControlSegment& segment = execute_.control.followed();
  const MeshOp& op = execute_.ops[segment.op];
  const auto taken = static_cast<unsigned>(now - fired_);
  announced_ = taken == total_rows_;
  if (!announced_) {
    // In the cycle before, the controller cut the segment or changed the multiplexers in front of the row buffers.
    const bool broken = segment.count != total_rows_ || execute_.steering_changed + 1 == now;
    if (!broken) return false;
    array_.rows.cut(taken - 1);
  }
  SYSTOLE_CHECK(taken >= 1 && taken <= segment.count);
  remember(op, taken - 1);
  execute_.control.unfollow(taken);
  row_ = taken - 1;
  rows_ += taken - 1;
  following_ = false;
  written_ = kAll;
  return true;
}

// When to look again.
void MeshInput::plan(Cycle now, bool popped) {
  if (following_) {
    wake_at(now + total_rows_);
    return;
  }
  if (request_valid_ && (written_ == kAll || flush_ != 0)) wake_at(now + 1);
  // Blocked, or about to be: only the tag queue can change that. A tag that has left in this very cycle makes room in the next.
  const bool room_next = array_.tags.has_room(now + 1);
  array_.tags.set_input_waits(!room_next);
  if (room_next && !array_.tags.has_room(now)) wake_at(now + 1);
  const Cycle due = execute_.control.due();
  if (due == kNever) return;
  if (due > now) {
    wake_at(due);
  } else if (popped) {
    wake_at(now + 1);
  }
  // Nothing leaves while the controller pushes by itself: it must look when the queue is full.
  if (!popped && execute_.control.growing()) {
    const unsigned size = execute_.control.size(now);
    const unsigned capacity = execute_.control.capacity();
    execute_.controller->wake_at(size >= capacity ? now : now + (capacity - size));
  }
}

void MeshInput::row_enters(Cycle now, bool last) {
  if (!announced_) {
    array_.rows.push(now, MeshRows{now, 1, 0, static_cast<std::uint16_t>(row_), number_, static_cast<std::uint8_t>(id_), last});
    if (!first_entered_ && values_ != nullptr) values_->enter_first(now == fired_ + 1);
    first_entered_ = true;
  }
  announced_ = false;
  if (values_ != nullptr && last) values_->end();
  written_ = 0;
  row_ = last ? 0 : row_ + 1;
  ++rows_;
}

void MeshInput::remember(const MeshOp& op, unsigned entries) {
  if (entries != 0 && hazards_ != nullptr && (newest_sequence_ != op.sequence || !newest_known_)) {
    newest_ = StaleEntry{op.weight_stationary, op.a_transpose, op.bd_transpose, op.shift};
    newest_instruction_ = op.instruction;
    newest_sequence_ = op.sequence;
    newest_known_ = true;
    newest_reported_ = false;
  }
  entries = std::min(entries, static_cast<unsigned>(stale_.size()));
  for (; entries != 0; --entries) {
    stale_[stale_next_] = StaleEntry{op.weight_stationary, op.a_transpose, op.bd_transpose, op.shift};
    stale_next_ = stale_next_ + 1 == stale_.size() ? 0 : stale_next_ + 1;
  }
}

void MeshInput::take_row(Cycle now, const ControlSegment& entry, unsigned fired) {
  const MeshOp& op = execute_.ops[entry.op];
  remember(op, 1);

  // The multiplexers in front of the row buffers look at the configuration of this cycle, not at the operation's own: a configuration that
  // overtakes the last rows of an operation cuts them off.
  if (op.kind == MeshOpKind::kMulPreload) return;
  const bool a_changed = op.a_through_transposer != execute_.a_through_transposer;
  const bool b_changed = op.b_through_transposer != execute_.b_through_transposer;
  if (!a_changed && !b_changed) return;
  if (hazards_ != nullptr && steered_op_ != entry.op) {
    hazards_->hazard(now, name(), op.instruction, op.sequence,
                     "a config_ex right behind it changes the transposes while its last rows are on their way: these rows become zero");
  }
  steered_op_ = entry.op;
  if (values_ == nullptr) return;
  if (a_changed && (fired & op.live) >> kOperandA & 1u) values_->fetch_zero(entry.op, kOperandA, entry.step[kOperandA] + entry.taken);
  if (b_changed && (fired & op.live) >> kOperandB & 1u) values_->fetch_zero(entry.op, kOperandB, entry.step[kOperandB] + entry.taken);
}

void MeshInput::request_fires(Cycle now, const ControlSegment* entry) {
  const bool flush = entry == nullptr;
  const bool propagate = execute_.flush ? execute_.flush_propagate : entry->propagate;
  request_valid_ = true;
  flush_ = flush ? 1 : 0;
  row_ = 0;
  fired_ = now;
  first_entered_ = false;
  ++number_;
  ++requests_;
  const unsigned before = id_;
  id_ = id_ + 1 == ids_ ? 0 : id_ + 1;

  GemmRequest request;
  request.flush = flush;
  request.toggle = propagate;
  bool a_transpose;
  bool bd_transpose;
  if (flush) {
    const StaleEntry& stale = stale_[stale_next_];
    warn_stale_flush(now, stale);
    total_rows_ = static_cast<unsigned>(dim_);
    request.weight_stationary = stale.weight_stationary;
    request.shift = stale.shift;
    a_transpose = stale.a_transpose;
    bd_transpose = stale.bd_transpose;
  } else {
    const MeshOp& op = execute_.ops[entry->op];
    if (propagate != entry->propagate) warn_lost_propagate(now, op);
    ArrayTag tag = op.tag;
    // A result leaves with the rows of the next request (weights) or of the one after it (sums): MeshWithDelays.scala matmul_id_of_output.
    tag.id = static_cast<std::uint8_t>((before + (op.weight_stationary ? 2u : 3u)) % ids_);
    total_rows_ = op.rows;
    array_.tags.push(now, tag, static_cast<std::uint8_t>(id_), total_rows_);
    request.operands = entry->op;
    request.weight_stationary = op.weight_stationary;
    request.shift = op.shift;
    a_transpose = op.a_transpose;
    bd_transpose = op.bd_transpose;
  }
  if (values_ == nullptr) return;
  request.rows = static_cast<int>(total_rows_);
  request.transpose_a = request.weight_stationary ? a_transpose : !a_transpose;
  request.transpose_b = !request.weight_stationary && bd_transpose;
  request.transpose_d = request.weight_stationary && bd_transpose;
  request.wanted = array_.tags.wants(static_cast<std::uint8_t>(id_));
  values_->begin(number_, request);
}

void MeshInput::warn_lost_propagate(Cycle now, const MeshOp& op) {
  if (hazards_ == nullptr) return;
  hazards_->hazard(now, name(), op.instruction, op.sequence,
                   fmt::format("a flush begins before the first of its {} rows reaches the array, so {} registers are exchanged: {}", op.rows,
                               execute_.flush_propagate ? "the" : "no",
                               op.weight_stationary ? "it multiplies with the previous weights"
                                                    : "its sums start from the wrong register. A fence in front of config_ex avoids it"));
}

// A flush has no entry of its own: it takes what its slot of the control queue last held (ExecuteController.scala, mesh.io.req.bits.pe_control :=
// cntl). Behind a change of the configuration that is the old one when fewer rows have passed since than the queue has entries.
void MeshInput::warn_stale_flush(Cycle now, const StaleEntry& stale) {
  if (hazards_ == nullptr || !newest_known_ || newest_reported_) return;
  const bool dataflow = stale.weight_stationary != newest_.weight_stationary;
  const bool shift = !newest_.weight_stationary && stale.shift != newest_.shift;
  if (!dataflow && !shift) return;
  newest_reported_ = true;
  hazards_->hazard(now, name(), newest_instruction_, newest_sequence_,
                   fmt::format("the flush behind it still has the {} of an operation before the last config_ex (fewer rows have run since than the control queue's {} entries): its result is wrong",
                               dataflow ? "dataflow" : "shift", stale_.size()));
}

std::string MeshInput::state_text() const {
  if (!request_valid_ && execute_.control.empty()) return {};
  return fmt::format("request {} rows {}/{}{}, row buffers a={} b={} d={}, control queue {}/{}, tags {}", request_valid_ ? "running" : "none",
                     row_, total_rows_, flush_ != 0 ? " (flush)" : "", written_ & 1u, written_ >> 1 & 1u, written_ >> 2 & 1u,
                     execute_.control.empty() ? 0 : execute_.control.size(execute_.reply_at + 1), execute_.control.capacity(), array_.tags.size());
}

// The tags and the rows inside as well. Their numbers are compared by their distance from those of the last request.
void MeshInput::residual(Residual& r) {
  r(request_valid_);
  r(written_);
  r(following_);
  r(announced_);
  r(row_);
  r(flush_);
  r(total_rows_);
  if (following_) {
    r.since(fired_);
  } else {
    r.time(fired_);
  }
  r(first_entered_);
  array_.tags.residual(r, id_, ids_);
  array_.rows.residual(r, id_, ids_, number_);
  const auto stale = [&r](StaleEntry& entry) {
    r(entry.weight_stationary);
    r(entry.a_transpose);
    r(entry.bd_transpose);
    r(entry.shift);
  };
  for (std::size_t i = 0; i < stale_.size(); ++i) stale(stale_[(stale_next_ + i) % stale_.size()]);
  stale(newest_);
  r(newest_known_);
  r(newest_reported_);
  r.count(requests_);
  r.count(rows_);
}

}  // namespace systole::hw
