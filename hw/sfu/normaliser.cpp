#include "hw/sfu/normaliser.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "hw/ports/command_fault.h"

namespace systole::hw {
namespace {

// Latency of the dividers for an operand that needs no division (zero; HardFloat DivSqrtRecFN_small).
constexpr int kSpecialOperand = 1;

std::int64_t wrap32(std::int64_t x) { return static_cast<std::int32_t>(static_cast<std::uint64_t>(x)); }

}  // namespace

Normaliser::Normaliser(const sc_core::sc_module_name& name, const MachineParams& params, RowActivator& activator,
                       HazardLog* hazards)
    : Unit(name),
      params_(params),
      lanes_(params.sfu.lanes == 0 ? params.array.dim : params.sfu.lanes),
      activator_(activator),
      hazards_(hazards),
      stats_(static_cast<std::size_t>(params.sfu.stats_ids)),
      free_(stats_.size(), 1),
      ledger_("normaliser", {{"idle", StateKind::kIdle, "holds no row"},
                             {"busy", StateKind::kBusy, "sums, takes maxima or passes rows on"},
                             {"divider", StateKind::kStall, "a row waits for a mean or variance"},
                             {"square_root", StateKind::kStall, "a row waits for the standard deviation"},
                             {"reciprocal", StateKind::kStall, "a row waits for the reciprocal of its deviation or sum"},
                             {"output_wait", StateKind::kStall, "a row waits for the scaling unit"}}) {
  for (Stats& stats : stats_) {
    stats.running_max = std::numeric_limits<std::int32_t>::min();
    stats.result.max = std::numeric_limits<std::int32_t>::min();
  }
}

// The lanes must be empty before the division, and a maximum complete before the next row (Normalizer.scala waiting_for_lanes_to_drain).
bool Normaliser::Stats::drains() const {
  switch (row.norm) {
    case isa::NormCommand::kMean: return state == State::kGetSum || state == State::kGetMean;
    case isa::NormCommand::kInvStddev: return state == State::kGetSum || state == State::kGetVariance;
    case isa::NormCommand::kMax: return state == State::kGetMax;
    case isa::NormCommand::kInvSumExp: return state == State::kGetSum;
    case isa::NormCommand::kReset:
    case isa::NormCommand::kSum:
    case isa::NormCommand::kVariance:
    case isa::NormCommand::kSumExp: return false;
  }
  SYSTOLE_CHECK(false);
  return false;
}

int Normaliser::lowest(State state) const { return lowest(state, state); }

int Normaliser::lowest(State a, State b) const {
  for (std::size_t id = 0; id < stats_.size(); ++id) {
    if (stats_[id].state == a || stats_[id].state == b) return static_cast<int>(id);
  }
  return -1;
}

const StoreRow* Normaliser::output(Cycle) {
  const int id = lowest(State::kOutput);
  return id < 0 ? nullptr : &stats_[static_cast<std::size_t>(id)].row;
}

StoreRow Normaliser::take_output(Cycle now) {
  output_taken_ = lowest(State::kOutput);
  output_taken_in_ = now;
  wake_at(now);
  const Stats& stats = stats_[static_cast<std::size_t>(output_taken_)];
  StoreRow row = stats.row;
  activator_.activate(now, row, stats.result);
  return row;
}

bool Normaliser::ready(Cycle, int stats_id) { return free_[static_cast<std::size_t>(stats_id)] != 0 && drained_; }

void Normaliser::accept(Cycle now, const StoreRow& row) {
  // The exponentials of the row that entered the lanes in this cycle are taken with the constants on the input port.
  if (!sum_lanes_.empty() && sum_lanes_.back().entered == now && !sum_lanes_.back().summed) {
    warn_foreign_constants(now, sum_lanes_.back(), row);
    sum(sum_lanes_.back(), row.constants);
  }
  Stats& stats = stats_[row.constants.stats_id];
  stats.row = row;
  activator_.pre_shift(stats.row);
  stats.count = static_cast<std::uint16_t>(stats.count + row.len);
  stats.elements_left = row.len;
  if (row.norm == isa::NormCommand::kMean || row.norm == isa::NormCommand::kInvStddev || row.norm == isa::NormCommand::kInvSumExp) {
    stats.zero_sum = zero_sums_ != nullptr && std::binary_search(zero_sums_->rows.begin(), zero_sums_->rows.end(), divided_);
    ++divided_;
  }
  switch (row.norm) {
    case isa::NormCommand::kReset:
      stats.state = State::kOutput;
      consumer_->wake_at(now + 1);
      break;
    case isa::NormCommand::kMax: stats.state = State::kGetMax; break;
    case isa::NormCommand::kSum:
    case isa::NormCommand::kMean:
    case isa::NormCommand::kVariance:
    case isa::NormCommand::kInvStddev:
    case isa::NormCommand::kSumExp:
    case isa::NormCommand::kInvSumExp: stats.state = State::kGetSum; break;
  }
  wake_at(now + 1);
}

void Normaliser::warn_foreign_constants(Cycle now, const LaneEntry& entry, const StoreRow& row) {
  const StoreRow& own = stats_[static_cast<std::size_t>(entry.id)].row;
  const bool exponentials = own.norm == isa::NormCommand::kSumExp || own.norm == isa::NormCommand::kInvSumExp;
  const StoreConstants& a = own.constants;
  const StoreConstants& b = row.constants;
  if (hazards_ == nullptr || !exponentials || (a.qb == b.qb && a.qc == b.qc && a.qln2 == b.qln2 && a.qln2_inv == b.qln2_inv)) return;
  hazards_->conflict(now, name(), own.sequence, row.sequence, "the exponentials of the first are summed with the constants of the second, which enters the normaliser behind it");
}

void Normaliser::warn_foreign_product(Cycle now, int receiver, int id, float unscaled) {
  const float scale = float_of_bits(stats_[static_cast<std::size_t>(id)].row.constants.scale);
  const bool harmless = scale == 1.0f || (activator_.has_values() && unscaled * scale == unscaled);   // 1 / 0 stays infinite
  if (hazards_ == nullptr || harmless) return;
  hazards_->conflict(now, name(), stats_[static_cast<std::size_t>(receiver)].row.sequence, stats_[static_cast<std::size_t>(id)].row.sequence,
                     "their rows wait for the multiplier at the same time, and the second takes the first's product for its own: its scale is not applied");
}

bool Normaliser::lanes_busy(const std::deque<LaneEntry>& lanes, Cycle now) const {
  return !lanes.empty() && now - lanes.back().entered <= static_cast<Cycle>(params_.sfu.lane_latency);
}

void Normaliser::sum(LaneEntry& entry, const StoreConstants& constants) {
  entry.summed = true;
  if (!activator_.has_values()) return;
  const Stats& stats = stats_[static_cast<std::size_t>(entry.id)];
  entry.value = lane_sum(activator_.words(stats.row) + entry.first, entry.len, stats.row.norm, stats.result, constants,
                         params_.sfu.iexp_as_igelu != 0, activator_.overflows());
}

void Normaliser::lanes_out(Cycle now) {
  const auto latency = static_cast<Cycle>(params_.sfu.lane_latency);
  if (!sum_lanes_.empty() && sum_lanes_.front().entered + latency == now) {
    Stats& stats = stats_[static_cast<std::size_t>(sum_lanes_.front().id)];
    const std::int64_t exact = stats.sum + sum_lanes_.front().value;
    const bool wide = stats.row.constants.wide_variance;
    if (!wide && exact != wrap32(exact)) {
      const bool exponentials = stats.row.norm == isa::NormCommand::kSumExp || stats.row.norm == isa::NormCommand::kInvSumExp;
      ++(exponentials ? activator_.overflows().exp_sum : activator_.overflows().variance);
    }
    stats.sum = wide ? exact : wrap32(exact);
    sum_lanes_.pop_front();
  }
  if (!max_lanes_.empty() && max_lanes_.front().entered + latency == now) {
    Stats& stats = stats_[static_cast<std::size_t>(max_lanes_.front().id)];
    stats.running_max = std::max(stats.running_max, static_cast<std::int32_t>(max_lanes_.front().value));
    stats.result.max = stats.running_max;
    max_lanes_.pop_front();
  }
}

Normaliser::LaneEntry Normaliser::next_part(Cycle now, int id) const {
  const int left = stats_[static_cast<std::size_t>(id)].elements_left;
  const int len = left % lanes_ == 0 ? lanes_ : left % lanes_;
  return {now, id, left - len, len, 0, false};
}

// At most one row enters each reduction tree: the lowest id that asks; the sums wait while maxima are under way.
void Normaliser::lanes_in(Cycle now) {
  max_lane_id_ = -1;
  sum_lane_id_ = -1;
  const int max_id = lowest(State::kGetMax);
  if (max_id >= 0 && stats_[static_cast<std::size_t>(max_id)].elements_left > 0) {
    Stats& stats = stats_[static_cast<std::size_t>(max_id)];
    LaneEntry entry = next_part(now, max_id);
    entry.summed = true;
    if (activator_.has_values()) entry.value = lane_max(activator_.words(stats.row) + entry.first, entry.len);
    max_lanes_.push_back(entry);
    max_lane_id_ = max_id;
  }
  const bool max_busy = max_lane_id_ >= 0 || lanes_busy(max_lanes_, now);
  const int sum_id = lowest(State::kGetSum);
  if (sum_id >= 0 && stats_[static_cast<std::size_t>(sum_id)].elements_left > 0 && !max_busy) {
    sum_lanes_.push_back(next_part(now, sum_id));
    sum_lane_id_ = sum_id;
  }
}

void Normaliser::evaluate(Cycle now) {
  // A row that entered the lanes in the cycle before without a row on the input port used its own constants.
  if (!sum_lanes_.empty() && !sum_lanes_.back().summed) {
    sum(sum_lanes_.back(), stats_[static_cast<std::size_t>(sum_lanes_.back().id)].row.constants);
  }
  bool opens = !drained_;
  drained_ = std::none_of(stats_.begin(), stats_.end(), [](const Stats& stats) { return stats.drains(); });
  opens = opens && drained_;
  for (Server* server : {&divider_, &sqrt_, &reciprocal_, &exp_divider_}) server->sample(now);
  stddev_multiplier_.sample(now, lowest(State::kWaitScaledInvStddev));
  exp_multiplier_.sample(now, lowest(State::kWaitScaledInvSumExp));
  lanes_in(now);
  for (std::size_t id = 0; id < stats_.size(); ++id) {
    stats_[id].next = stats_[id].state;
    stats_[id].done = false;
    step(static_cast<int>(id), now);
  }
  lanes_out(now);
  bool still = sum_lanes_.empty() && max_lanes_.empty();   // rows wait to be taken, if there are any
  for (std::size_t id = 0; id < stats_.size(); ++id) {
    Stats& stats = stats_[id];
    const bool left_division = (stats.state == State::kGetMean || stats.state == State::kGetVariance) && stats.next != stats.state;
    if (stats.state == State::kOutput || left_division) {
      stats.sum = 0;
      stats.count = 0;
      stats.running_max = std::numeric_limits<std::int32_t>::min();
    }
    const std::uint8_t free = stats.state == State::kIdle || stats.done ? 1 : 0;
    opens = opens || free > free_[id];
    free_[id] = free;
    still = still && stats.next == stats.state && (stats.state == State::kIdle || stats.state == State::kOutput);
  }
  account(now);
  if (max_lane_id_ >= 0) stats_[static_cast<std::size_t>(max_lane_id_)].elements_left -= max_lanes_.back().len;
  if (sum_lane_id_ >= 0) stats_[static_cast<std::size_t>(sum_lane_id_)].elements_left -= sum_lanes_.back().len;
  for (Stats& stats : stats_) stats.state = stats.next;
  if (opens) producer_->wake_at(now);
  // Rows come in and are taken with a wake-up. Who takes one looks for the next by itself.
  if (!still) wake_at(now + 1);
}

void Normaliser::step(int id, Cycle now) {
  Stats& stats = stats_[static_cast<std::size_t>(id)];
  switch (stats.state) {
    case State::kIdle: return;
    case State::kOutput:
      if (output_taken_in_ == now && output_taken_ == id) {
        stats.next = State::kIdle;
        stats.done = true;
      }
      return;
    case State::kGetMax:
      if (stats.elements_left == 0 || (max_lane_id_ == id && last_part(stats))) {
        stats.next = State::kIdle;
        stats.done = true;
      }
      return;
    case State::kGetSum:
      if (stats.elements_left != 0 && (sum_lane_id_ != id || !last_part(stats))) return;
      if (stats.row.norm == isa::NormCommand::kMean) {
        stats.next = State::kGetMean;
      } else if (stats.row.norm == isa::NormCommand::kInvStddev) {
        stats.next = State::kGetVariance;
      } else if (stats.row.norm == isa::NormCommand::kInvSumExp) {
        stats.next = State::kGetInvSumExp;
      } else {
        stats.next = State::kIdle;
        stats.done = true;
      }
      return;
    case State::kGetMean:
    case State::kWaitMean:
    case State::kGetVariance:
    case State::kWaitVariance: step_division(id, now); return;
    case State::kGetStddev:
    case State::kWaitStddev:
    case State::kGetInvStddev:
    case State::kWaitInvStddev:
    case State::kGetScaledInvStddev:
    case State::kWaitScaledInvStddev: step_root(id, now); return;
    case State::kGetInvSumExp:
    case State::kWaitInvSumExp:
    case State::kGetScaledInvSumExp:
    case State::kWaitScaledInvSumExp: step_exp(id, now); return;
  }
}

std::int64_t Normaliser::quotient(const Stats& stats, Cycle now) const {
  if (stats.count == 0) {
    throw CommandFault{now, name(), stats.row.sequence, "statistics over a multiple of 65536 elements: the counter has 16 bits"};
  }
  return stats.sum / stats.count;   // towards zero
}

// Mean and variance: one integer divider, for the lowest id, when the lanes are empty.
void Normaliser::step_division(int id, Cycle now) {
  Stats& stats = stats_[static_cast<std::size_t>(id)];
  if (stats.state == State::kGetMean || stats.state == State::kGetVariance) {
    if (lowest(State::kGetMean, State::kGetVariance) != id || !divider_.free_with_result(now)) return;
    if (sum_lane_id_ >= 0 || lanes_busy(sum_lanes_, now)) return;
    const bool special = sum_is_zero(stats);
    divider_.start(now, special ? kSpecialOperand : params_.sfu.divider_latency);
    if (activator_.has_values()) stats.quotient = quotient(stats, now);
    stats.next = stats.state == State::kGetMean ? State::kWaitMean : State::kWaitVariance;
    return;
  }
  if (!divider_.result) return;
  if (stats.state == State::kWaitMean) {
    stats.result.mean = static_cast<std::int32_t>(stats.quotient);
    stats.next = State::kIdle;
    stats.done = true;
  } else {
    stats.next = State::kGetStddev;
  }
}

// Square root, reciprocal and the multiplication with the accumulator scale.
void Normaliser::step_root(int id, Cycle now) {
  Stats& stats = stats_[static_cast<std::size_t>(id)];
  switch (stats.state) {
    case State::kGetStddev:
      if (lowest(State::kGetStddev) != id || !sqrt_.free_behind_result(now)) return;
      sqrt_.start(now, params_.sfu.sqrt_latency);
      stats.next = State::kWaitStddev;
      return;
    case State::kWaitStddev:
      if (!sqrt_.result) return;
      stats.root = row_deviation(stats.quotient, stats.row.constants.wide_variance);
      stats.next = State::kGetInvStddev;
      return;
    case State::kGetInvStddev:
      if (lowest(State::kGetInvStddev) != id || !reciprocal_.free_with_result(now)) return;
      reciprocal_.start(now, params_.sfu.reciprocal_latency);
      stats.next = State::kWaitInvStddev;
      return;
    case State::kWaitInvStddev:
      if (!reciprocal_.result) return;
      stats.result.inv_stddev = 1.0f / stats.root;
      stats.next = State::kGetScaledInvStddev;
      return;
    case State::kGetScaledInvStddev:
      if (lowest(State::kGetScaledInvStddev) != id || !stddev_multiplier_.can_push(params_.sfu.multiplier_latency)) return;
      stddev_multiplier_.products.push_back({now + static_cast<Cycle>(params_.sfu.multiplier_latency),
                                    stats.result.inv_stddev * float_of_bits(stats.row.constants.scale)});
      stats.next = State::kWaitScaledInvStddev;
      return;
    case State::kWaitScaledInvStddev:
      if (!stddev_multiplier_.result) return;
      if (stddev_multiplier_.receiver == id) {
        stats.result.inv_stddev = stddev_multiplier_.value;
      } else {
        warn_foreign_product(now, stddev_multiplier_.receiver, id, stats.result.inv_stddev);
      }
      stats.next = State::kIdle;
      stats.done = true;
      return;
    default: SYSTOLE_CHECK(false);
  }
}

// Reciprocal of the sum of exponentials and the multiplication with the accumulator scale.
void Normaliser::step_exp(int id, Cycle now) {
  Stats& stats = stats_[static_cast<std::size_t>(id)];
  switch (stats.state) {
    case State::kGetInvSumExp: {
      if (lowest(State::kGetInvSumExp) != id || !exp_divider_.free_with_result(now)) return;
      if (sum_lane_id_ >= 0 || lanes_busy(sum_lanes_, now)) return;
      const bool special = sum_is_zero(stats);
      exp_divider_.start(now, special ? kSpecialOperand : params_.sfu.reciprocal_latency);
      stats.root = softmax_reciprocal(stats.sum);
      stats.next = State::kWaitInvSumExp;
      return;
    }
    case State::kWaitInvSumExp:
      if (!exp_divider_.result) return;
      stats.result.inv_sum_exp = stats.root;
      activator_.set_row_scale(stats.row.constants.rowscale_base + stats.row.row_scale, stats.root);
      stats.next = State::kGetScaledInvSumExp;
      return;
    case State::kGetScaledInvSumExp:
      if (lowest(State::kGetScaledInvSumExp) != id || !exp_multiplier_.can_push(params_.sfu.multiplier_latency)) return;
      exp_multiplier_.products.push_back({now + static_cast<Cycle>(params_.sfu.multiplier_latency),
                                 stats.result.inv_sum_exp * float_of_bits(stats.row.constants.scale)});
      stats.next = State::kWaitScaledInvSumExp;
      return;
    case State::kWaitScaledInvSumExp:
      if (!exp_multiplier_.result) return;
      if (exp_multiplier_.receiver == id) {
        stats.result.inv_sum_exp = exp_multiplier_.value;
      } else {
        warn_foreign_product(now, exp_multiplier_.receiver, id, stats.result.inv_sum_exp);
      }
      stats.next = State::kIdle;
      stats.done = true;
      return;
    default: SYSTOLE_CHECK(false);
  }
}

void Normaliser::account(Cycle now) {
  Account account = Account::kIdle;
  for (const Stats& stats : stats_) {
    Account own = Account::kIdle;
    switch (stats.state) {
      case State::kIdle: own = Account::kIdle; break;
      case State::kOutput: own = stats.done ? Account::kBusy : Account::kOutputWait; break;
      case State::kGetSum:
      case State::kGetMax: own = Account::kBusy; break;
      case State::kGetMean:
      case State::kWaitMean:
      case State::kGetVariance:
      case State::kWaitVariance: own = Account::kDivider; break;
      case State::kGetStddev:
      case State::kWaitStddev: own = Account::kSquareRoot; break;
      case State::kGetInvStddev:
      case State::kWaitInvStddev:
      case State::kGetScaledInvStddev:
      case State::kWaitScaledInvStddev:
      case State::kGetInvSumExp:
      case State::kWaitInvSumExp:
      case State::kGetScaledInvSumExp:
      case State::kWaitScaledInvSumExp: own = Account::kReciprocal; break;
    }
    // Progress of one id hides the wait of another.
    if (own == Account::kBusy || (account == Account::kIdle && own != Account::kIdle)) account = own;
  }
  ledger_.enter(now, account);
}

std::string Normaliser::state_text() const {
  std::string text;
  for (std::size_t id = 0; id < stats_.size(); ++id) {
    if (stats_[id].state != State::kIdle) text += fmt::format("statistics id {} in state {}; ", id, static_cast<int>(stats_[id].state));
  }
  return text;
}

void Normaliser::residual(Residual& r) {
  for (const Stats& stats : stats_) r.rest(stats.state == State::kIdle);
  r.rest(sum_lanes_.empty() && max_lanes_.empty());
  r.count(divided_);
  for (Server* server : {&divider_, &sqrt_, &reciprocal_, &exp_divider_}) {
    r(server->used);
    r.time(server->out);
  }
  // Products that were left over answer the next request.
  for (Multiplier* multiplier : {&stddev_multiplier_, &exp_multiplier_}) {
    std::size_t products = multiplier->products.size();
    r(products);
    multiplier->products.resize(products);
    for (Multiplier::Product& product : multiplier->products) r.time(product.out);
  }
  r(drained_);
  r(output_taken_);
  r.time(output_taken_in_);
  r.all(free_);
  ledger_.residual(r);
}

}  // namespace systole::hw
