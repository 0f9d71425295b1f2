#include "hw/frontend/reservation_station.h"

#include <fmt/format.h>

#include "sim/base/errors.h"

namespace systole::hw {
namespace {

constexpr unsigned kLoad = static_cast<unsigned>(isa::Queue::kLoad);
constexpr unsigned kExecute = static_cast<unsigned>(isa::Queue::kExecute);
constexpr unsigned kStore = static_cast<unsigned>(isa::Queue::kStore);
static_assert(kLoad == 0 && kExecute == 1 && kStore == 2);

bool is_config(isa::Op op) {
  return op == isa::Op::kConfigLd || op == isa::Op::kConfigEx || op == isa::Op::kConfigSt || op == isa::Op::kConfigNorm;
}

// Row 0 of the scratchpad and nothing more: what the RTL compares with in place of a store's cleared second operand.
constexpr OperandRange kClearedOperand{};

}  // namespace

ReservationStation::ReservationStation(const sc_core::sc_module_name& name, const FrontEndParams& params, Channel<Command>& in,
                                       Completions& completions, const Outputs& outputs)
    : Unit(name),
      params_(params),
      in_(in),
      completions_(completions),
      out_{&outputs.load, &outputs.execute, &outputs.store},
      loop_ws_(outputs.loop_ws),
      loop_conv_(outputs.loop_conv),
      analyser_(params),
      ledger_("reservation_station",
              {{"idle", StateKind::kIdle, "no entry is in use and no command waits"},
               {"busy", StateKind::kBusy, "a command was taken or issued"},
               {"full_load", StateKind::kStall, "the next command is a load and all load entries are in use"},
               {"full_execute", StateKind::kStall, "the next command is for the array and all execute entries are in use"},
               {"full_store", StateKind::kStall, "the next command is a store and all store entries are in use"},
               {"queue_full", StateKind::kStall, "a command could be issued, but the controller's queue is full"},
               {"wait_load", StateKind::kStall, "the next command to issue waits for rows that a load writes"},
               {"wait_execute", StateKind::kStall, "the next command to issue waits for rows that an execute command uses"},
               {"wait_store", StateKind::kStall, "the next command to issue waits for a store"},
               {"in_flight", StateKind::kStall, "every command has been issued; the controllers work on them"}}) {
  in_.bind_reader(*this);
  completions_.bind_listener(*this);
  for (Channel<IssuedCommand>* out : out_) out->bind_writer(*this);
  loop_ws_.bind_writer(*this);
  loop_conv_.bind_writer(*this);
  const std::array<int, kQueues> sizes{params.load_entries, params.execute_entries, params.store_entries};
  for (unsigned q = 0; q < kQueues; ++q) {
    SYSTOLE_CHECK(sizes[q] >= 1 && sizes[q] <= static_cast<int>(EntryMask::kEntries));
    queues_[q].entries.resize(static_cast<std::size_t>(sizes[q]));
    queues_[q].order.resize(static_cast<std::size_t>(sizes[q]));
  }
}

void ReservationStation::evaluate(Cycle now) {
  if (const Completion* done = completions_.granted(now - 1)) complete(*done);
  busy_.set(now - 1, in_.front(now) != nullptr || counts_as_busy());

  // Who issues is decided before the new entry is there, and the new entry's place before issues free one.
  std::array<bool, kQueues> issues{};
  for (unsigned q = 0; q < kQueues; ++q) issues[q] = issuable(q, now) && out_[q]->can_push(now);
  bool active = take_input(now);
  for (unsigned q = 0; q < kQueues; ++q) {
    if (!issues[q]) continue;
    issue(q, now);
    active = true;
  }
  if (loop_ws_credits_.load || loop_ws_credits_.store) loop_ws_.push(now, loop_ws_credits_);
  if (loop_conv_credits_.load || loop_conv_credits_.store) loop_conv_.push(now, loop_conv_credits_);
  loop_ws_credits_ = loop_conv_credits_ = {};

  ledger_.enter(now, state(now, active));
  busy_.set(now, !in_.empty() || counts_as_busy());
  if (!active) return;
  // Will the next cycle do anything that nobody wakes us for?
  if (may_act(now + 1)) {
    wake_at(now + 1);
  } else {
    ledger_.enter(now + 1, state(now + 1, false));
  }
}

bool ReservationStation::may_act(Cycle next) const {
  if (const Command* command = in_.front(next)) {
    const isa::Queue queue = isa::queue_of(command->op);
    if (queue == isa::Queue::kFrontend) return true;
    const Queue& q = queues_[static_cast<unsigned>(queue)];
    if (q.used < q.entries.size()) return true;
  }
  for (unsigned q = 0; q < kQueues; ++q) {
    if (issuable(q, next) && out_[q]->can_push(next)) return true;
  }
  return false;
}

void ReservationStation::complete(const Completion& completion) {
  const auto q = static_cast<unsigned>(completion.rob.queue);
  SYSTOLE_CHECK(q < kQueues && completion.rob.index < queues_[q].entries.size());
  const Entry& entry = queues_[q].entries[completion.rob.index];
  SYSTOLE_CHECK(queues_[q].valid.test(completion.rob.index) && entry.issued && completion.origin == entry.command.origin);
  --queues_[q].in_flight;
  ++counters_.completed;
  release(q, completion.rob.index);
}

void ReservationStation::release(unsigned queue, unsigned index) {
  queues_[queue].valid.reset(index);
  --queues_[queue].used;
  Entry& entry = queues_[queue].entries[index];
  for (unsigned q = 0; q < kQueues; ++q) {
    entry.dependents[q].for_each([&](unsigned waiting) { --queues_[q].entries[waiting].pending[queue]; });
    entry.dependents[q].clear();
  }
}

bool ReservationStation::issuable(unsigned queue, Cycle now) const {
  const Queue& q = queues_[queue];
  if (q.order_size == 0) return false;
  const Entry& entry = q.entries[q.order[q.order_head]];
  if (entry.allocated >= now || entry.waits()) return false;
  return queue != kStore || !params_.stores_serialised || q.in_flight == 0;
}

bool ReservationStation::take_input(Cycle now) {
  const Command* command = in_.front(now);
  if (command == nullptr) return false;
  if (isa::queue_of(command->op) == isa::Queue::kFrontend) {
    // TLB flush, counters and clock gating are done at the head of the queue in one cycle (Controller.scala). The counter unit has one response
    // register: it takes no command in the cycle in which it answers the one before (CounterFile.scala CounterController).
    if (command->op == isa::Op::kFlush) ++counters_.flushes;
    if (command->op == isa::Op::kCounter) {
      if (now == counter_answers_in_) return true;
      counter_answers_in_ = now + 1;
      ++counters_.counter_operations;
    }
    in_.pop(now);
    return true;
  }
  if (!allocate(now, *command)) return false;
  in_.pop(now);
  return true;
}

bool ReservationStation::allocate(Cycle now, const Command& command) {
  const auto q = static_cast<unsigned>(isa::queue_of(command.op));
  SYSTOLE_CHECK(q < kQueues);
  Queue& queue = queues_[q];
  const unsigned index = queue.valid.lowest_absent();
  if (index >= queue.entries.size()) return false;
  if (command.op == isa::Op::kConfigLd && !OperandAnalyser::is_load_state(isa::fields::ConfigLd::state.get(command.instruction))) {
    throw ModelError(now, name(), fmt::format("command {}: {}", command.sequence, isa::disassemble(command.instruction, params_.revision)),
                     "load states are 0, 1 and 2");
  }

  Entry& entry = queue.entries[index];
  entry.command = command;
  analyser_.operands(command.op, command.instruction, entry.operands);
  entry.completes_on_issue = is_config(command.op) && q != kExecute;
  entry.issued = false;
  entry.allocated = now;
  queue.valid.set(index);
  ++queue.used;
  find_dependences(q, index);
  queue.order[(queue.order_head + queue.order_size) % queue.order.size()] = static_cast<std::uint8_t>(index);
  ++queue.order_size;

  analyser_.configure(command.op, command.instruction);
  if (command.op == isa::Op::kPreload) solitary_preload_ = true;
  if (command.op == isa::Op::kComputeFlip || command.op == isa::Op::kComputeStay) solitary_preload_ = false;
  return true;
}

// Within its own queue an entry waits for its turn; entries of other queues are waited for until they have completed.
void ReservationStation::find_dependences(unsigned queue, unsigned index) {
  Entry& entry = queues_[queue].entries[index];
  entry.pending = {};
  if (is_config(entry.command.op)) return;
  for (unsigned q = 0; q < kQueues; ++q) {
    if (q == queue) continue;
    queues_[q].valid.for_each([&](unsigned i) {
      Entry& other = queues_[q].entries[i];
      if (!must_wait(queue, entry.operands, q, other.operands)) return;
      other.dependents[queue].set(index);
      ++entry.pending[q];
    });
  }
}

bool ReservationStation::must_wait(unsigned queue, const Operands& mine, unsigned other_queue, const Operands& other) const {
  if (!other.a.valid) return false;   // configurations
  const bool writes_what_other_uses =
      mine.a.overlaps(other.a) || (other_queue == kExecute && other.b.valid && mine.a.overlaps(other.b));
  if (queue == kLoad) return writes_what_other_uses;
  if (queue == kExecute && other_queue == kLoad) return mine.a.overlaps(other.a) || mine.b.overlaps(other.a);
  if (queue == kExecute) {
    if (!other.a_is_destination) return mine.a_is_destination && mine.a.overlaps(other.a);
    return mine.a.overlaps(other.a) || mine.b.overlaps(other.a) || (mine.a_is_destination && mine.a.overlaps(kClearedOperand));
  }
  if (other_queue == kLoad) return mine.a.overlaps(other.a) || (mine.b.valid && mine.b.overlaps(other.a));
  // A store that only reads waits for results, that is for preloads.
  const bool other_writes_mine = other.a_is_destination && (mine.a_is_destination ? mine.b : mine.a).overlaps(other.a);
  return other_writes_mine || (mine.a_is_destination && writes_what_other_uses);
}

void ReservationStation::issue(unsigned queue, Cycle now) {
  Queue& q = queues_[queue];
  const unsigned index = q.order[q.order_head];
  q.order_head = static_cast<unsigned>((q.order_head + 1) % q.order.size());
  --q.order_size;
  Entry& entry = q.entries[index];
  entry.issued = true;
  ++counters_.issued[queue];
  IssuedCommand& issued = out_[queue]->emplace(now);
  issued.command = entry.command;
  issued.rob = {static_cast<isa::Queue>(queue), static_cast<std::uint8_t>(index)};
  issued.rob_valid = true;
  if (!entry.completes_on_issue) {
    ++q.in_flight;
    return;
  }
  release(queue, index);
  if (entry.command.origin == Origin::kHost) return;
  IssueCredits& credits = entry.command.origin == Origin::kLoopWs ? loop_ws_credits_ : loop_conv_credits_;
  (queue == kLoad ? credits.load : credits.store) = true;
}

bool ReservationStation::counts_as_busy() const {
  const unsigned used = queues_[kLoad].used + queues_[kExecute].used + queues_[kStore].used;
  return used != 0 && !(used == 1 && solitary_preload_);
}

ReservationStation::State ReservationStation::state(Cycle now, bool active) const {
  if (active) return State::kBusy;
  if (const Command* command = in_.front(now)) {
    constexpr std::array<State, kQueues> kFull{State::kFullLoad, State::kFullExecute, State::kFullStore};
    return kFull[static_cast<unsigned>(isa::queue_of(command->op))];
  }
  bool in_use = false;
  // The array's commands first: what they wait for is what costs.
  for (const unsigned queue : {kExecute, kStore, kLoad}) {
    const Queue& q = queues_[queue];
    in_use = in_use || q.used != 0;
    if (q.order_size == 0) continue;
    const Entry& entry = q.entries[q.order[q.order_head]];
    if (entry.pending[kLoad] != 0) return State::kWaitLoad;
    if (entry.pending[kExecute] != 0) return State::kWaitExecute;
    if (entry.pending[kStore] != 0) return State::kWaitStore;
    return issuable(queue, now) ? State::kQueueFull : State::kWaitStore;
  }
  return in_use ? State::kInFlight : State::kIdle;
}

std::string ReservationStation::state_text() const {
  std::string text;
  constexpr std::array<const char*, kQueues> kNames{"load", "execute", "store"};
  for (unsigned q = 0; q < kQueues; ++q) {
    const Queue& queue = queues_[q];
    if (queue.used == 0) continue;
    text += fmt::format("{}{} {} entries", text.empty() ? "" : "; ", queue.used, kNames[q]);
    if (queue.order_size == 0) {
      text += ", all issued";
      continue;
    }
    const Entry& entry = queue.entries[queue.order[queue.order_head]];
    text += fmt::format(", next is command {} ({}), which waits for {} loads, {} execute commands, {} stores", entry.command.sequence,
                        isa::info(entry.command.op).mnemonic, entry.pending[kLoad], entry.pending[kExecute], entry.pending[kStore]);
  }
  if (!in_.empty()) text += text.empty() ? "commands wait" : "; commands wait";
  return text;
}

// Of a queue whose entries wait for no other queue's.
void ReservationStation::residual_of_queue(Residual& r, Queue& queue) {
  r(queue.used);
  r(queue.in_flight);
  r(queue.order_size);
  if (r.loads()) {
    queue.valid.clear();
    queue.order_head = 0;
  }
  for (unsigned i = 0; i < queue.order_size; ++i) r(queue.order[(queue.order_head + i) % queue.order.size()]);
  unsigned index = 0;
  unsigned left = queue.used;
  for (; left != 0; --left, ++index) {
    while (!r.loads() && !queue.valid.test(index)) ++index;
    r(index);
    if (r.loads()) queue.valid.set(index);
    Entry& entry = queue.entries[index];
    residual_of(r, entry.command);
    for (OperandRange* range : {&entry.operands.a, &entry.operands.b}) {
      r(range->valid);
      r.operand(range->start);
      r.operand(range->end);
    }
    r(entry.operands.a_is_destination);
    r(entry.completes_on_issue);
    r(entry.issued);
    r.time(entry.allocated);
    if (r.loads()) {
      entry.pending = {};
      entry.dependents = {};
    }
  }
}

void ReservationStation::residual(Residual& r) {
  // Only commands for the array may be under way.
  r.rest(queues_[kLoad].used == 0 && queues_[kStore].used == 0);
  for (unsigned i = 0; i < in_.size(); ++i) r.rest(isa::queue_of(in_.at(i).op) == isa::Queue::kExecute);
  residual_of_queue(r, queues_[kExecute]);
  r(solitary_preload_);
  r.rest(!loop_ws_credits_.load && !loop_ws_credits_.store && !loop_conv_credits_.load && !loop_conv_credits_.store);
  analyser_.residual(r);
  for (std::uint64_t& issued : counters_.issued) r.count(issued);
  r.time(counter_answers_in_);
  r.count(counters_.completed);
  r.count(counters_.flushes);
  r.count(counters_.counter_operations);
  busy_.residual(r);
  ledger_.residual(r);
}

}  // namespace systole::hw
