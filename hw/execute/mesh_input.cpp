#include "hw/execute/mesh_input.h"

#include <fmt/format.h>

#include "hw/params/derived.h"

namespace systole::hw {

MeshInput::MeshInput(const sc_core::sc_module_name& name, const MachineParams& params, ExecuteLinks& execute, ArrayLinks& array,
                     const std::vector<Channel<OperandArrived>*>& responses, GemmArray* values, HazardLog* hazards)
    : Unit(name),
      dim_(params.array.dim),
      ids_(static_cast<unsigned>(simultaneous_matmuls(params))),
      execute_(execute),
      array_(array),
      responses_(responses),
      values_(values),
      hazards_(hazards),
      stale_(execute.control.capacity()) {
  execute_.control.bind_reader(*this);
  execute_.mesh_input = this;
  array_.tags.bind_watcher(*this);
  for (Channel<OperandArrived>* response : responses_) response->bind_reader(*this);
}

void MeshInput::evaluate(Cycle now) {
  const bool enters = request_valid_ && (written_ == kAll || flush_ != 0);
  const bool last = enters && row_ + 1 == total_rows_;
  const bool request_ready = (!request_valid_ || last) && array_.tags.has_room(now);
  const unsigned accepts = (enters || request_ready) ? kAll : (~written_ & kAll);

  const ControlEntry* head = execute_.control.front(now);
  ControlEntry entry;
  unsigned fired = 0;
  bool leaves = false;
  bool offers = execute_.flush;
  if (head != nullptr) {
    entry = *head;
    fired = entry.fire & accepts;
    for (unsigned x = 0; x < kOperands; ++x) {
      if ((entry.waits & fired) >> x & 1u) {
        if (responses_[entry.bank[x]]->front(now) == nullptr) fired &= ~(1u << x);
      }
    }
    // An operand that the row buffer cannot take does not hold the entry (ExecuteController.scala, mesh_cntl_signals_q.io.deq.ready).
    leaves = (entry.fire & ~fired & accepts) == 0 && (!entry.first || request_ready);
    offers = leaves && entry.fire != 0;
  }
  const bool request_fires_now = offers && request_ready;

  if (enters) row_enters(now, last);
  written_ |= fired;
  if (head != nullptr && leaves) {
    take_row(now, entry, fired);
    execute_.control.drop(now, 1);
  }
  if (request_fires_now) {
    request_fires(now, head != nullptr ? &entry : nullptr);
  } else if (last) {
    request_valid_ = flush_ > 1;
    flush_ = (flush_ - 1) & 3u;
  }

  execute_.reply_at = now;
  execute_.request_ready = request_ready;
  execute_.request_fired = request_fires_now;
  if (request_valid_ && (written_ == kAll || flush_ != 0)) wake_at(now + 1);
}

void MeshInput::row_enters(Cycle now, bool last) {
  array_.rows.push(now, MeshRow{static_cast<std::uint8_t>(id_), last, number_});
  written_ = 0;
  row_ = last ? 0 : row_ + 1;
  ++rows_;
  if (values_ == nullptr) return;
  values_->enter(now == fired_ + 1);
  if (last) values_->end();
}

void MeshInput::take_row(Cycle now, const ControlEntry& entry, unsigned fired) {
  for (unsigned x = 0; x < kOperands; ++x) {
    if ((entry.waits & fired) >> x & 1u) responses_[entry.bank[x]]->drop(now, 1);
  }
  const MeshOp& op = execute_.ops[entry.op];
  stale_[stale_next_] = StaleEntry{op.weight_stationary, op.a_transpose, op.bd_transpose, op.shift};
  stale_next_ = stale_next_ + 1 == stale_.size() ? 0 : stale_next_ + 1;

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
  if (a_changed && (fired & op.live) >> kOperandA & 1u) values_->fetch_zero(entry.op, kOperandA, entry.step[kOperandA]);
  if (b_changed && (fired & op.live) >> kOperandB & 1u) values_->fetch_zero(entry.op, kOperandB, entry.step[kOperandB]);
}

void MeshInput::request_fires(Cycle now, const ControlEntry* entry) {
  const bool flush = entry == nullptr;
  const bool propagate = execute_.flush ? execute_.flush_propagate : entry->propagate;
  request_valid_ = true;
  flush_ = flush ? 1 : 0;
  row_ = 0;
  fired_ = now;
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

std::string MeshInput::state_text() const {
  if (!request_valid_ && execute_.control.empty()) return {};
  return fmt::format("request {} rows {}/{}{}, row buffers a={} b={} d={}, control queue {}/{}, tags {}", request_valid_ ? "running" : "none",
                     row_, total_rows_, flush_ != 0 ? " (flush)" : "", written_ & 1u, written_ >> 1 & 1u, written_ >> 2 & 1u,
                     execute_.control.size(), execute_.control.capacity(), array_.tags.size());
}

}  // namespace systole::hw
