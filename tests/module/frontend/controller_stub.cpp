#include "tests/module/frontend/controller_stub.h"

namespace systole::test {

ControllerStub::ControllerStub(const sc_core::sc_module_name& name, hw::CompletionSource source, Channel<hw::IssuedCommand>& in,
                               Completions& completions, Cycle delay, Stall stall)
    : Unit(name), source_(source), in_(in), completions_(completions), delay_(delay), stall_(stall) {
  in_.bind_reader(*this);
  completions_.bind_listener(*this);
}

void ControllerStub::evaluate(Cycle now) {
  if (offered_ != kNever && offered_ < now) {
    if (completions_.was_granted(source_, offered_)) {
      granted_.push_back(offered_);
      due_.pop_front();
    }
    offered_ = kNever;
  }
  if (!due_.empty() && due_.front().first <= now) {
    completions_.offer(source_, now, due_.front().second);
    offered_ = now;
  }
  if (in_.front(now) != nullptr) {
    if (stall_.holds(now)) {
      wake_at(now + 1);
    } else {
      const hw::IssuedCommand issued = in_.pop(now);
      records_.push_back({now - 1, issued});
      const isa::Op op = issued.command.op;
      const bool config = op == isa::Op::kConfigLd || op == isa::Op::kConfigSt || op == isa::Op::kConfigNorm;
      if (!config && delay_ != kNever) due_.push_back({now + delay_, {issued.rob, issued.command.origin}});
    }
  }
  if (!due_.empty()) wake_at(std::max(now + 1, due_.front().first));
}

}  // namespace systole::test
