#include "hw/frontend/loop_unroller.h"

#include <fmt/format.h>

#include <utility>

#include "hw/frontend/operand_format.h"
#include "sim/base/errors.h"

namespace systole::hw {
namespace {

void take(int& commands) {
  SYSTOLE_CHECK(commands > 0);
  --commands;
}

}  // namespace

LoopUnroller::LoopUnroller(const sc_core::sc_module_name& name, const FrontEndParams& params, Channel<Command>& in,
                           Channel<Command>& out, Completions& completions, Channel<IssueCredits>& issue_credits, Origin origin,
                           Ledger ledger)
    : Unit(name),
      params_(params),
      out_(out),
      ledger_(std::move(ledger)),
      origin_(origin),
      in_(in),
      completions_(completions),
      issue_credits_(issue_credits) {
  in_.bind_reader(*this);
  out_.bind_writer(*this);
  completions_.count_by([](const Completion& done) { return completion_class(done.origin, done.rob.queue); });
  completions_.bind_listener(*this, &any_full_);
  issue_credits_.bind_reader(*this);
}

void LoopUnroller::evaluate(Cycle now) {
  take_credits(now);
  const Command* head = in_.front(now);
  const bool configured = slots_.any_configured();
  if (head != nullptr || configured) busy_.set(now - 1, true);

  bool changed = false;
  if (configured) {
    changed = unroll(now);
  } else if (head == nullptr) {
    ledger_.enter(now, State::kIdle);
  } else if (takes(head->op)) {
    take_configuration(now, *head);
    changed = true;
    ledger_.enter(now, State::kBusy);
  } else {
    changed = pass(now);
    ledger_.enter(now, changed ? State::kBusy : State::kOutputFull);
  }
  const bool was_full = any_full_;
  any_full_ = overloaded(kStageLoadA) || overloaded(kStageExecute) || overloaded(kStageStore);
  busy_.set(now, !in_.empty() || slots_.any_configured());
  // A completion of this very cycle may have found us uninterested.
  changed = changed || (any_full_ && !was_full);
  if (changed) wake_at(now + 1);
}

void LoopUnroller::take_credits(Cycle now) {
  const std::uint64_t granted = completions_.granted_before(now);
  if (granted != granted_) count_completions(now);
  granted_ = granted;
  if (issue_credits_.front(now) != nullptr) {
    const IssueCredits credits = issue_credits_.pop(now);
    if (credits.load) take(loads_in_flight_);
    if (credits.store) take(stores_in_flight_);
  }
}

void LoopUnroller::count_completions(Cycle now) {
  int* const in_flight[] = {&loads_in_flight_, &executes_in_flight_, &stores_in_flight_};
  for (unsigned q = 0; q < completed_.size(); ++q) {
    const std::uint64_t completed = completions_.granted_before(now, completion_class(origin_, static_cast<isa::Queue>(q)));
    *in_flight[q] -= static_cast<int>(completed - completed_[q]);
    SYSTOLE_CHECK(*in_flight[q] >= 0);
    completed_[q] = completed;
  }
}

const Command* LoopUnroller::next_configuration(Cycle now) const {
  const Command* head = in_.front(now);
  return head != nullptr && takes(head->op) && !slots_[slots_.filling()].configured ? head : nullptr;
}

void LoopUnroller::take_configuration(Cycle now, const Command& command) {
  configure(now, command);
  in_.pop(now);
}

bool LoopUnroller::pass(Cycle now) {
  if (!out_.can_push(now)) return false;
  out_.push(now, in_.pop(now));
  return true;
}

Command& LoopUnroller::send(Cycle now, LoopStage stage) {
  ++in_flight(stage);
  ++emitted_;
  Command& command = out_.emplace(now);
  command.origin = origin_;
  return command;
}

int& LoopUnroller::in_flight(LoopStage stage) {
  if (stage == kStageExecute) return executes_in_flight_;
  return stage == kStageStore ? stores_in_flight_ : loads_in_flight_;
}

bool LoopUnroller::overloaded(LoopStage stage) const {
  if (stage == kStageExecute) return executes_in_flight_ >= params_.execute_entries;
  if (stage == kStageStore) return stores_in_flight_ >= params_.store_entries;
  return loads_in_flight_ >= params_.load_entries;
}

std::uint32_t LoopUnroller::take_half(bool results_stay, std::uint32_t& base) const {
  const std::uint32_t taken = base;
  if (!results_stay) base = floor_add(base, half_accumulator(), 2 * half_accumulator());
  return taken;
}

std::string LoopUnroller::state_text() const {
  if (!slots_.any_configured()) return in_.empty() ? "" : "holds commands that the unit behind it does not take";
  return fmt::format("unrolls command {}; in flight: {} loads, {} execute commands, {} stores", sequence_of(slots_.head()),
                     loads_in_flight_, executes_in_flight_, stores_in_flight_);
}

void LoopUnroller::residual(Residual& r) {
  // Completions that nobody waited for may not have been counted yet.
  count_completions(r.now());
  granted_ = completions_.granted_before(r.now());
  slots_.residual(r);
  r(loads_in_flight_);
  r(executes_in_flight_);
  r(stores_in_flight_);
  r(any_full_);
  r.count(emitted_);
  busy_.residual(r);
  ledger_.residual(r);
}

}  // namespace systole::hw
