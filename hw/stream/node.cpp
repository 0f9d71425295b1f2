#include "hw/stream/node.h"

#include <algorithm>

#include <fmt/format.h>

#include "hw/stream/steady_state.h"
#include "hw/stream/values.h"

namespace systole::hw {

StreamNode::StreamNode(const sc_core::sc_module_name& name, const StreamNodeSpec& spec, std::vector<StreamFifo>& fifos,
                       StreamValues* values, std::size_t index)
    : Unit(name),
      spec_(spec),
      fifos_(fifos),
      values_(values),
      index_(index),
      total_(spec.rows.total()),
      row_length_(spec.rows.length_of(0)) {
  SYSTOLE_CHECK(spec.latency >= 1 && spec.interval >= 1);
  for (const auto& input : spec.inputs)
    (input.rate == StreamRate::kRowFirst ? row_inputs_ : every_inputs_).push_back(input.fifo);
  for (const auto& output : spec.outputs) {
    auto& to = output.rate == StreamRate::kRowLast ? row_outputs_ : every_outputs_;
    to.insert(to.end(), output.fifos.begin(), output.fifos.end());
  }
  has_row_ports_ = !row_inputs_.empty() || !row_outputs_.empty();
  pipeline_.resize(std::max<Cycle>(1, spec.latency - 1));
}

void StreamNode::evaluate(Cycle now) {
  if (now < resume_) return;
  if (pipeline_size_ != 0) drain(now);
  if (firings_ != total_ && now >= next_start_) fire(now);
}

bool StreamNode::inputs_ready(Cycle now, bool first) const {
  for (std::size_t f : every_inputs_) {
    if (!fifos_[f].can_pop(now)) return false;
  }
  if (first) {
    for (std::size_t f : row_inputs_) {
      if (!fifos_[f].can_pop(now)) return false;
    }
  }
  return true;
}

bool StreamNode::outputs_ready(Cycle now, bool last) const {
  for (std::size_t f : every_outputs_) {
    if (!fifos_[f].can_push(now)) return false;
  }
  if (last) {
    for (std::size_t f : row_outputs_) {
      if (!fifos_[f].can_push(now)) return false;
    }
  }
  return true;
}

void StreamNode::push_outputs(Cycle now, bool last) {
  for (std::size_t f : every_outputs_) fifos_[f].push(now);
  if (last) {
    for (std::size_t f : row_outputs_) fifos_[f].push(now);
  }
  last_active_ = now;
  if (observer_ != nullptr) observer_->note(now);
}

// At most one result leaves per cycle.
void StreamNode::drain(Cycle now) {
  const Result& head = pipeline_[pipeline_head_];
  if (head.ready > now) return;
  if (!outputs_ready(now, head.last)) return;  // the consumer that frees a place wakes us
  push_outputs(now, head.last);
  pipeline_head_ = pipeline_head_ + 1 == pipeline_.size() ? 0 : pipeline_head_ + 1;
  --pipeline_size_;
  if (pipeline_size_ != 0) wake_at(std::max(now + 1, pipeline_[pipeline_head_].ready));
  // The stage it leaves can be entered in this very cycle: evaluate() tries to fire next.
}

void StreamNode::fire(Cycle now) {
  const bool first = position_ == 0;
  const bool last = position_ + 1 == row_length_;
  if (!inputs_ready(now, first)) return;
  const bool produces = !every_outputs_.empty() || (last && !row_outputs_.empty());
  if (produces) {
    if (spec_.latency == 1) {
      if (!outputs_ready(now, last)) return;
    } else if (pipeline_size_ == pipeline_.size()) {
      return;  // woken when the head leaves
    }
  }
  for (std::size_t f : every_inputs_) fifos_[f].pop(now);
  if (first) {
    for (std::size_t f : row_inputs_) fifos_[f].pop(now);
  }
  if (produces) {
    if (spec_.latency == 1) {
      push_outputs(now, last);
    } else {
      std::size_t tail = pipeline_head_ + pipeline_size_;
      if (tail >= pipeline_.size()) tail -= pipeline_.size();
      pipeline_[tail] = {now + spec_.latency - 1, last};
      if (pipeline_size_++ == 0) wake_at(pipeline_[tail].ready);
    }
  }
  if (observer_ != nullptr) {
    observer_->note(now);
    if ((first && !row_inputs_.empty()) || (last && !row_outputs_.empty())) observer_->note_row_port();
    if (has_row_ports_ && (row_inputs_.empty() ? last : first)) observer_->note_row_passed(index_);
  }
  ++firings_;
  if (last) {
    ++row_;
    position_ = 0;
    row_length_ = spec_.rows.length_of(row_);
  } else {
    ++position_;
  }
  next_start_ = now + spec_.interval;
  last_active_ = now;
  if (firings_ != total_) wake_at(next_start_);
  if (values_ != nullptr) values_->fire(index_);
}

Cycle StreamNode::settled() const {
  const Cycle ready = pipeline_size_ != 0 ? pipeline_[pipeline_head_].ready : 0;
  return std::max({last_active_ + 1, ready, firings_ != total_ ? next_start_ : 0});
}

StreamNode::Blocked StreamNode::blocked(Cycle now) const {
  if (finished()) return {Wait::kFinished, 0};
  const auto full = [&](bool last) -> Blocked {
    for (std::size_t f : every_outputs_) {
      if (!fifos_[f].can_push(now)) return {Wait::kFull, f};
    }
    for (std::size_t f : row_outputs_) {
      if (last && !fifos_[f].can_push(now)) return {Wait::kFull, f};
    }
    return {};
  };
  if (pipeline_size_ != 0) {
    // Results leave in order, so whatever the node waits for, it waits for its head.
    const Result& head = pipeline_[pipeline_head_];
    if (head.ready > now) return {};
    const Blocked wait = full(head.last);
    if (wait.wait == Wait::kNone || pipeline_size_ == pipeline_.size() || firings_ == total_) return wait;
    // There is room behind the head; say so only if the inputs are there, too.
    if (inputs_ready(now, position_ == 0) && now >= next_start_) return {};
    return wait;
  }
  for (std::size_t f : every_inputs_) {
    if (!fifos_[f].can_pop(now)) return {Wait::kEmpty, f};
  }
  for (std::size_t f : row_inputs_) {
    if (position_ == 0 && !fifos_[f].can_pop(now)) return {Wait::kEmpty, f};
  }
  if (spec_.latency == 1) return full(position_ + 1 == row_length_);
  return {};
}

std::string StreamNode::state_text() const {
  if (finished()) return {};
  return fmt::format("{} of {} firings, {} results in the pipeline", firings_, total_, pipeline_size_);
}

void StreamNode::append_signature(Cycle now, std::vector<std::uint32_t>& signature) const {
  signature.push_back(static_cast<std::uint32_t>(next_start_ > now ? next_start_ - now : 0) << 1 |
                      (firings_ == total_ ? 1u : 0u));
  signature.push_back(static_cast<std::uint32_t>(pipeline_size_));
  for (std::size_t i = 0; i < pipeline_size_; ++i) {
    std::size_t at = pipeline_head_ + i;
    if (at >= pipeline_.size()) at -= pipeline_.size();
    const Result& result = pipeline_[at];
    const bool row_result = result.last && !row_outputs_.empty();
    signature.push_back(static_cast<std::uint32_t>(result.ready > now ? result.ready - now : 0) << 1 |
                        (row_result ? 1u : 0u));
  }
}

std::uint64_t StreamNode::plain_firings_left() const {
  if (!has_row_ports_) return firings_left();
  if (position_ == 0 && !row_inputs_.empty()) return 0;
  return row_outputs_.empty() ? row_length_ - position_ : row_length_ - 1 - position_;
}

void StreamNode::leap(Cycle from, Cycle now, Cycle cycles, std::uint64_t firings) {
  resume_ = now + cycles;
  next_start_ = std::max(now, next_start_) + cycles;
  for (std::size_t i = 0; i < pipeline_size_; ++i) {
    std::size_t at = pipeline_head_ + i;
    if (at >= pipeline_.size()) at -= pipeline_.size();
    pipeline_[at].ready = std::max(now, pipeline_[at].ready) + cycles;
  }
  firings_ += firings;
  if (has_row_ports_) {
    position_ += firings;
    // Whole rows only when all rows are equally long.
    if (position_ >= row_length_) {
      SYSTOLE_CHECK(!spec_.rows.growing || position_ == row_length_);
      row_ += spec_.rows.growing ? 1 : position_ / row_length_;
      position_ = spec_.rows.growing ? 0 : position_ % row_length_;
      row_length_ = spec_.rows.length_of(row_);
    }
  }
  if (last_active_ >= from) last_active_ += cycles;
  // The wake-ups the node had asked for have been, or will be, without effect.
  wake_at(resume_);
  if (next_start_ > resume_) wake_at(next_start_);
  if (pipeline_size_ != 0 && pipeline_[pipeline_head_].ready > resume_) wake_at(pipeline_[pipeline_head_].ready);
}

}  // namespace systole::hw
