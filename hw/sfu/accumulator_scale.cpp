#include "hw/sfu/accumulator_scale.h"

#include <algorithm>
#include <cmath>

#include "hw/datapath/activation.h"

namespace systole::hw {

ScalePipeline::ScalePipeline(const MachineParams& params, Unit& stage)
    : rows_("accumulator_scale", static_cast<Cycle>(params.accumulator.scale_latency),
            static_cast<unsigned>(params.accumulator.scale_latency), Full::kPipe) {
  rows_.bind_reader(stage);
}

SharedScaleUnits::SharedScaleUnits(const sc_core::sc_module_name& name, const MachineParams& params)
    : Unit(name), params_(params), last_grant_(static_cast<std::size_t>(params.accumulator.scale_units), 0) {
  for (Entry& entry : entries_) {
    entry.fired.assign(static_cast<std::size_t>(params.array.dim), 0);
    entry.completed = entry.fired;
  }
}

const StoreRow* SharedScaleUnits::front(Cycle now) {
  const Entry& entry = entries_[static_cast<std::size_t>(head_)];
  return entry.valid && entry.since <= now && entry.lanes_left == 0 && popped_in_ != now ? &entry.row : nullptr;
}

StoreRow SharedScaleUnits::pop(Cycle now) {
  Entry& entry = entries_[static_cast<std::size_t>(head_)];
  entry.valid = false;
  popped_in_ = now;
  head_ = (head_ + 1) % kEntries;
  wake_at(now);
  return entry.row;
}

bool SharedScaleUnits::can_push(Cycle now) {
  // An entry that leaves in this cycle can be taken over only when it is the one at the tail.
  const Entry& entry = entries_[static_cast<std::size_t>(tail_)];
  const bool left_now = popped_in_ == now && (head_ + kEntries - 1) % kEntries == tail_;
  return pushed_in_ != now && (!entry.valid || left_now);
}

void SharedScaleUnits::push(Cycle now, const StoreRow& row) {
  Entry& entry = entries_[static_cast<std::size_t>(tail_)];
  pushed_in_ = now;
  entry.valid = true;
  entry.since = now + 1;
  entry.row = row;
  std::fill(entry.fired.begin(), entry.fired.end(), 0);
  std::fill(entry.completed.begin(), entry.completed.end(), 0);
  entry.lanes_left = params_.array.dim;
  tail_ = (tail_ + 1) % kEntries;
  wake_at(now + 1);
}

// Which of the three rows use the units that know activation functions (AccumulatorScale.scala static_assignment_policy).
unsigned SharedScaleUnits::norm_policy(unsigned norm_mask) const {
  int norm_rows = 0;
  for (int i = 0; i < kEntries; ++i) norm_rows += static_cast<int>((norm_mask >> i) & 1u);
  const float unit_share = static_cast<float>(kNormUnits) / static_cast<float>(params_.accumulator.scale_units);
  if (static_cast<float>(norm_rows) / kEntries >= unit_share) return norm_mask;
  int flips = static_cast<int>(std::floor(unit_share * kEntries + 0.5f)) - norm_rows;
  unsigned result = norm_mask;
  for (int i = kEntries - 1; i >= 0 && flips > 0; --i) {
    if (((norm_mask >> i) & 1u) == 0) {
      result |= 1u << i;
      --flips;
    }
  }
  return result;
}

void SharedScaleUnits::evaluate(Cycle now) {
  unsigned norm_mask = 0;
  bool active = false;
  for (int i = 0; i < kEntries; ++i) {
    const Entry& entry = entries_[static_cast<std::size_t>(i)];
    if (!entry.valid || entry.since > now) continue;
    active = true;
    const isa::Activation act = entry.row.constants.activation;
    if (act != isa::Activation::kNone && act != isa::Activation::kRelu) norm_mask |= 1u << i;
  }
  // A lane granted in cycle g passes a register and the pipeline; its completion is visible `latency` + 2 cycles behind.
  in_pipes_.erase(std::remove_if(in_pipes_.begin(), in_pipes_.end(),
                                 [&](const Element& element) {
                                   // The stage in front has had its turn: what completes in the next cycle is entered now.
                                   if (element.done > now + 1) return false;
                                   --entries_[static_cast<std::size_t>(element.entry)].lanes_left;
                                   return true;
                                 }),
                  in_pipes_.end());
  if (active) {
    const unsigned policy = norm_policy(norm_mask);
    for (int unit = 0; unit < params_.accumulator.scale_units; ++unit) grant(now, unit, policy);
  }
  if (front(now + 1) != nullptr) stage_->wake_at(now + 1);
  if (active || !in_pipes_.empty()) wake_at(now + 1);
}

// One lane for one unit, round robin over the lanes that belong to it.
void SharedScaleUnits::grant(Cycle now, int unit, unsigned policy) {
  const int dim = params_.array.dim;
  const bool norm_unit = unit < kNormUnits;
  const int modulus = norm_unit ? kNormUnits : params_.accumulator.scale_units - kNormUnits;
  const int remainder = norm_unit ? unit : unit - kNormUnits;
  std::vector<int> lanes;
  for (int k = 0; k < kEntries * dim; ++k) {
    if (k % modulus == remainder) lanes.push_back(k);
  }
  const auto requests = [&](int k) {
    const int i = k / dim;
    const Entry& entry = entries_[static_cast<std::size_t>(i)];
    const bool uses_norm = ((policy >> i) & 1u) != 0;
    return entry.valid && entry.since <= now && entry.fired[static_cast<std::size_t>(k % dim)] == 0 && uses_norm == norm_unit;
  };
  int& last = last_grant_[static_cast<std::size_t>(unit)];
  const int count = static_cast<int>(lanes.size());
  int chosen = -1;
  for (int i = last + 1; i < count && chosen < 0; ++i) {
    if (requests(lanes[static_cast<std::size_t>(i)])) chosen = i;
  }
  for (int i = 0; i < count && chosen < 0; ++i) {
    if (requests(lanes[static_cast<std::size_t>(i)])) chosen = i;
  }
  if (chosen < 0) return;
  last = chosen;
  const int k = lanes[static_cast<std::size_t>(chosen)];
  entries_[static_cast<std::size_t>(k / dim)].fired[static_cast<std::size_t>(k % dim)] = 1;
  in_pipes_.push_back({now + static_cast<Cycle>(params_.accumulator.scale_latency) + 2, k / dim, k % dim});
}

}  // namespace systole::hw
