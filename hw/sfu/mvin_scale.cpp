#include "hw/sfu/mvin_scale.h"

#include <fmt/format.h>

#include <algorithm>

namespace systole::hw {

MvinScale::MvinScale(const sc_core::sc_module_name& name, int dim, int units, int latency, Channel<LoadedRow>& in_row,
                     Channel<LoadedRow>& out_row, const LoadRuns* load_runs)
    : Unit(name),
      dim_(dim),
      units_(units),
      latency_(latency),
      in_row_(in_row),
      out_row_(out_row),
      load_runs_(load_runs),
      last_grant_(static_cast<std::size_t>(units), 0) {
  in_row_.bind_reader(*this);
  out_row_.bind_writer(*this);
  if (units_ == 0 && latency_ > 0) {
    pipeline_ = std::make_unique<Channel<LoadedRow>>("mvin_scale_pipeline", static_cast<Cycle>(latency_), static_cast<unsigned>(latency_), Full::kPipe);
    pipeline_->bind_reader(*this);
  }
  for (Entry& entry : entries_) entry.fired.assign(static_cast<std::size_t>(dim), 0);
}

// The rows of announced runs have moved the ring of entries on.
void MvinScale::take_turns() {
  if (load_runs_ != nullptr && load_runs_->rows_announced != rows_passed_) {
    // A row that is inside is in front of those of a run. Their turns are taken when it has left: before one that is scaled comes, nobody asks.
    for (const Entry& entry : entries_) {
      if (entry.valid) return;
    }
    const auto moved = static_cast<int>((load_runs_->rows_announced - rows_passed_) % kEntries);
    head_ = (head_ + moved) % kEntries;
    tail_ = (tail_ + moved) % kEntries;
    rows_passed_ = load_runs_->rows_announced;
  }
}

void MvinScale::evaluate(Cycle now) {
  take_turns();
  if (units_ == 0) {
    evaluate_pipeline(now);
  } else {
    evaluate_units(now);
  }
}

LoadedRow MvinScale::take_repeat(Cycle now) {
  const LoadedRow& in = *in_row_.front(now);
  if (repeats_left_ < 0) repeats_left_ = in.repeats;
  LoadedRow row = in;
  row.row = in.row + static_cast<std::uint32_t>(repeats_left_);   // wraps where it is written
  row.repeats = 0;
  row.last = in.last && repeats_left_ == 0;
  if (repeats_left_ == 0) {
    in_row_.pop(now);
    wake_at(now + 1);
  }
  --repeats_left_;
  return row;
}

void MvinScale::evaluate_pipeline(Cycle now) {
  if (pipeline_) {
    if (pipeline_->front(now) != nullptr && out_row_.can_push(now)) out_row_.push(now, pipeline_->pop(now));
    if (in_row_.front(now) != nullptr && pipeline_->can_push(now)) pipeline_->push(now, take_repeat(now));
    if (!pipeline_->empty() || !in_row_.empty()) wake_at(now + 1);
  } else {
    if (in_row_.front(now) != nullptr && out_row_.can_push(now)) out_row_.push(now, take_repeat(now));
    if (!in_row_.empty()) wake_at(now + 1);
  }
}

void MvinScale::evaluate_units(Cycle now) {
  // Registers at the start of the cycle: the head may leave, the tail may be filled, lanes of valid entries compete for the units.
  if (!in_pipes_.empty()) {
    in_pipes_.erase(std::remove_if(in_pipes_.begin(), in_pipes_.end(),
                                   [&](const Element& element) {
                                     if (element.done > now) return false;
                                     --entries_[static_cast<std::size_t>(element.entry)].lanes_left;
                                     return true;
                                   }),
                    in_pipes_.end());
  }
  bool lanes_left = false;
  for (const Entry& entry : entries_) lanes_left = lanes_left || (entry.valid && entry.lanes_left != 0);
  if (lanes_left) {
    for (int unit = 0; unit < units_; ++unit) grant(now, unit);
  }
  const bool tail_free = !entries_[static_cast<std::size_t>(tail_)].valid;
  Entry& head = entries_[static_cast<std::size_t>(head_)];
  if (head.valid && head.lanes_left == 0 && out_row_.can_push(now)) {
    out_row_.push(now, head.row);
    head.valid = false;
    head_ = (head_ + 1) % kEntries;
  }
  if (in_row_.front(now) != nullptr && tail_free) {
    Entry& tail = entries_[static_cast<std::size_t>(tail_)];
    const bool identity = in_row_.front(now)->scale == kIdentity;
    tail.row = take_repeat(now);
    tail.valid = true;
    tail.lanes_left = identity ? 0 : dim_;
    if (!identity) std::fill(tail.fired.begin(), tail.fired.end(), 0);
    tail_ = (tail_ + 1) % kEntries;
  }
  bool active = !in_row_.empty();
  for (const Entry& entry : entries_) active = active || entry.valid;
  if (active) wake_at(now + 1);
}

// One lane for one unit, round robin over the lanes that belong to it; completion is visible latency + 2 cycles behind the grant.
void MvinScale::grant(Cycle now, int unit) {
  const int count = (kEntries * dim_ - unit + units_ - 1) / units_;
  const auto requests = [&](int i) {
    const int k = i * units_ + unit;
    const Entry& entry = entries_[static_cast<std::size_t>(k / dim_)];
    return entry.valid && entry.lanes_left != 0 && entry.fired[static_cast<std::size_t>(k % dim_)] == 0;
  };
  int& last = last_grant_[static_cast<std::size_t>(unit)];
  int chosen = -1;
  for (int i = last + 1; i < count && chosen < 0; ++i) {
    if (requests(i)) chosen = i;
  }
  for (int i = 0; i < count && chosen < 0; ++i) {
    if (requests(i)) chosen = i;
  }
  if (chosen < 0) return;
  last = chosen;
  const int k = chosen * units_ + unit;
  entries_[static_cast<std::size_t>(k / dim_)].fired[static_cast<std::size_t>(k % dim_)] = 1;
  in_pipes_.push_back({now + static_cast<Cycle>(latency_) + 2, k / dim_});
}

std::string MvinScale::state_text() const {
  int rows = 0;
  for (const Entry& entry : entries_) rows += entry.valid ? 1 : 0;
  return rows == 0 && in_row_.empty() ? std::string{} : fmt::format("{} rows inside, {} in front", rows, in_row_.size());
}

}  // namespace systole::hw
