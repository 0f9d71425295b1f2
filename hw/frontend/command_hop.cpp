#include "hw/frontend/command_hop.h"

namespace systole::hw {

CommandHop::CommandHop(const sc_core::sc_module_name& name, Channel<Command>& in, Channel<Command>& out)
    : Unit(name), in_(in), out_(out) {
  in_.bind_reader(*this);
  out_.bind_writer(*this);
}

void CommandHop::evaluate(Cycle now) {
  if (in_.front(now) != nullptr) {
    busy_.set(now - 1, true);
    if (out_.can_push(now)) out_.push(now, in_.pop(now));
  }
  busy_.set(now, !in_.empty());
}

std::string CommandHop::state_text() const { return in_.empty() ? "" : "holds commands that the convolution unroller does not take"; }

}  // namespace systole::hw
