#include "hw/host/issuing_host.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "hw/host/command_decoder.h"
#include "hw/host/host_traffic.h"
#include "hw/host/host_values.h"
#include "isa/host_operation.h"
#include "sim/base/errors.h"

namespace systole::hw {
namespace {

HostKernel kernel_of(isa::HostOperationKind kind) {
  switch (kind) {
    case isa::HostOperationKind::kDequantise8: return HostKernel::kDequantise8;
    case isa::HostOperationKind::kDequantise32: return HostKernel::kDequantise32;
    case isa::HostOperationKind::kQuantise: return HostKernel::kQuantise;
    case isa::HostOperationKind::kSoftmax: return HostKernel::kSoftmax;
    case isa::HostOperationKind::kGelu: return HostKernel::kGelu;
    case isa::HostOperationKind::kLayerNorm: return HostKernel::kLayerNorm;
    case isa::HostOperationKind::kResidual: return HostKernel::kResidual;
  }
  SYSTOLE_CHECK(false);
  return HostKernel::kResidual;
}

}  // namespace

IssuingHost::IssuingHost(const sc_core::sc_module_name& name, const HostParams& params, Channel<Command>& out, Callbacks callbacks)
    : Unit(name),
      params_(params),
      out_(out),
      callbacks_(std::move(callbacks)),
      ledger_("host", {{"idle", StateKind::kIdle, "the program has not started, or has ended"},
                       {"busy", StateKind::kBusy, "a command was accepted, or the program does other work (gap)"},
                       {"queue_full", StateKind::kStall, "the accelerator does not accept the command offered"},
                       {"fence", StateKind::kStall, "waits until the accelerator is not busy"},
                       {"host_operation", StateKind::kStall, "the accelerator waits: the CPU computes what it has no unit for"}}) {
  out_.bind_writer(*this);
  if (params_.accesses != nullptr) {
    params_.accesses->bind_writer(*this);
    params_.accesses_done->bind_reader(*this);
  }
}

void IssuingHost::start(const isa::Program& program) {
  SYSTOLE_CHECK(program_ == nullptr);
  program_ = &program;
  next_item(params_.first_cycle);
}

void IssuingHost::next_item(Cycle start) {
  item_start_ = start;
  wake_at(start);
}

void IssuingHost::evaluate(Cycle now) {
  if (item_start_ == kNever || now < item_start_ || held_) return;
  if (!begun_) {
    begun_ = true;
    if (hold(now)) return;
  }
  go_on(now);
}

bool IssuingHost::hold(Cycle now) {
  held_ = callbacks_.hold && callbacks_.hold(now);
  return held_;
}

void IssuingHost::resume(Cycle now) {
  SYSTOLE_CHECK(held_);
  held_ = false;
  go_on(now);
}

void IssuingHost::skip(Cycle now, const Stretch& stretch) {
  SYSTOLE_CHECK(item_start_ != kNever);
  if (log_.begin == kNever && stretch.begin) log_.begin = now + *stretch.begin;
  for (const std::uint32_t accept : stretch.accepts) log_.accepts.push_back(now + accept);
  for (const std::uint32_t fence : stretch.fences) log_.fences.push_back(now + fence);
  item_ += stretch.items;
  item_start_ = now + stretch.cycles;
  held_ = stretch.holds;
}

void IssuingHost::go_on(Cycle now) {
  while (item_ < program_->items.size()) {
    const bool fence = program_->items[item_].kind == isa::ItemKind::kFence;
    if (!play(program_->items[item_], now)) return;
    ++item_;
    if (fence && hold(now)) return;
  }
  ledger_.enter(now, State::kIdle);
  item_start_ = kNever;
  log_.end = now;
  if (callbacks_.done) callbacks_.done(now);
}

bool IssuingHost::play(const isa::Item& item, Cycle now) {
  switch (item.kind) {
    case isa::ItemKind::kCommand:
      return play_command(item, now);
    case isa::ItemKind::kGap:
      return play_gap(item, now);
    case isa::ItemKind::kFence:
      return play_fence(now);
    case isa::ItemKind::kRegion:
      log_.regions.push_back({static_cast<std::uint32_t>(item.value), now});
      if (callbacks_.region) callbacks_.region(log_.regions.back());
      return true;
    case isa::ItemKind::kHostOp:
      if (item.value >= program_->host_ops.size())
        throw ModelError(now, name(), fmt::format("item {}", item_), fmt::format("host operation {} of {}", item.value, program_->host_ops.size()));
      return play_host_operation(program_->host_ops[item.value], now);
  }
  SYSTOLE_CHECK(false);
  return false;
}

bool IssuingHost::play_command(const isa::Item& item, Cycle now) {
  const Command command = decode(item.instruction, now);
  if (params_.cpu.loop_cycles != 0 && prepare_loop(command.op, now)) return false;
  if (!out_.can_push(now)) {
    ledger_.enter(now, State::kQueueFull);   // the queue wakes us when there is room
    return false;
  }
  ledger_.enter(now, State::kBusy);
  out_.push(now, command);
  note_work(now);
  log_.accepts.push_back(now);
  ++item_;
  next_item(now + 1);
  return false;
}

void IssuingHost::book(Cycle now, State state) {
  if (log_.begin != kNever) ledger_.enter(now, state);
}

void IssuingHost::note_work(Cycle now) {
  if (log_.begin != kNever) return;
  log_.begin = now;
  if (callbacks_.started) callbacks_.started(now);
}

bool IssuingHost::play_gap(const isa::Item& item, Cycle now) {
  if (item.value == 0) return true;
  book(now, State::kBusy);
  ++item_;
  next_item(now + item.value);
  return false;
}

bool IssuingHost::prepare_loop(isa::Op op, Cycle now) {
  if (op == isa::Op::kLoopWs) in_loop_ = false;
  if (op != isa::Op::kLoopWsBounds || in_loop_) return false;
  in_loop_ = true;
  note_work(now);
  ledger_.enter(now, State::kBusy);
  next_item(now + static_cast<Cycle>(params_.cpu.loop_cycles));
  return true;
}

bool IssuingHost::play_host_operation(const isa::HostOp& host, Cycle now) {
  if (!accesses_.empty()) {
    access_memory(now);
    return false;
  }
  note_work(now);
  const std::string place = fmt::format("item {}: {}", item_, host.name);
  isa::HostOperation operation;
  try {
    operation = isa::decode_host_operation(host);
  } catch (const ConfigError& error) {
    throw ModelError(now, name(), place, error.what());
  }
  if (params_.memory != nullptr) {
    for (const isa::HostRange& range : isa::ranges_of(operation)) {
      if (!params_.memory->contains(range.address, range.bytes))
        throw ModelError(now, name(), place, fmt::format("{} bytes at {:#x} are outside memory", range.bytes, range.address));
    }
  }
  if (params_.values != nullptr) {
    if (params_.before_values) params_.before_values();
    compute_host_operation(operation, *params_.values);
    if (params_.after_values) params_.after_values();
  }
  const double cycles = host_cycles(kernel_of(operation.kind), params_.cpu.code, params_.data, static_cast<double>(operation.rows),
                                    static_cast<double>(operation.elements()));
  own_cycles_ = std::max<Cycle>(1, static_cast<Cycle>(std::llround(cycles)));
  ledger_.enter(now, State::kHostOperation);
  if (params_.accesses == nullptr) {
    ++item_;
    next_item(now + own_cycles_);
    return false;
  }
  accesses_ = accesses_of(operation);
  next_access_ = 0;
  access_memory(now);
  return false;
}

// One access a cycle is sent; the operation's own cycles follow the answer.
void IssuingHost::access_memory(Cycle now) {
  if (next_access_ < accesses_.size()) {
    if (!params_.accesses->can_push(now)) return;   // the channel wakes us when there is room
    params_.accesses->push(now, accesses_[next_access_++]);
    if (next_access_ < accesses_.size()) wake_at(now + 1);
    return;
  }
  if (params_.accesses_done->front(now) == nullptr) return;
  params_.accesses_done->drop(now, 1);
  accesses_.clear();
  ++item_;
  next_item(now + own_cycles_);
}

// The fence begins in item_start_. What cycle c was like is known in c + 1; with the accelerator idle in c the next item starts in c + 1.
bool IssuingHost::play_fence(Cycle now) {
  book(now, State::kFence);
  if (now == item_start_) {
    wake_at(now + 1);
    return false;
  }
  if (BusyLine* busy = busy_line(now - 1)) {
    busy->wake_when_low(*this, now);
    return false;
  }
  log_.fences.push_back(now - 1);
  item_start_ = now;
  return true;
}

BusyLine* IssuingHost::busy_line(Cycle cycle) const {
  for (BusyLine* line : lines_) {
    if (line->at(cycle)) return line;
  }
  return nullptr;
}

Command IssuingHost::decode(const isa::Instruction& instruction, Cycle now) const {
  const std::optional<isa::Op> op = decode_host_command(instruction, params_.revision, params_.loop_conv_revision);
  if (!op) {
    throw ModelError(now, name(), fmt::format("command {}: {}", log_.accepts.size(), isa::disassemble(instruction, params_.revision)),
                     fmt::format("funct {} is not an instruction of revision {}", instruction.funct, params_.revision));
  }
  Command command;
  command.instruction = instruction;
  command.op = *op;
  command.origin = Origin::kHost;
  command.sequence = static_cast<std::uint32_t>(log_.accepts.size());
  return command;
}

std::string IssuingHost::state_text() const {
  if (item_start_ == kNever || program_ == nullptr) return {};
  const isa::Item& item = program_->items[item_];
  const std::string place = fmt::format("item {} of {} since cycle {}: ", item_ + 1, program_->items.size(), item_start_);
  switch (item.kind) {
    case isa::ItemKind::kCommand:
      return place + "offers command " + std::to_string(log_.accepts.size()) + ", " + isa::disassemble(item.instruction, params_.revision);
    case isa::ItemKind::kFence:
      return place + "waits at a fence";
    case isa::ItemKind::kHostOp:
      if (!accesses_.empty()) return place + fmt::format("the host operation waits for memory, access {} of {}", next_access_, accesses_.size());
      return place + "about to go on";
    case isa::ItemKind::kGap:
    case isa::ItemKind::kRegion:
      return place + "about to go on";
  }
  return {};
}

}  // namespace systole::hw
