#include "hw/execute/transpose_unroller.h"

#include "isa/local_address.h"

namespace systole::hw {
namespace {

constexpr std::uint64_t kGarbage = isa::LocalAddress::kGarbage;

}  // namespace

TransposeUnroller::TransposeUnroller(const sc_core::sc_module_name& name, Channel<IssuedCommand>& input, Channel<IssuedCommand>& output)
    : Unit(name), input_(input), output_(output) {
  input_.bind_reader(*this, &room_);
  output_.bind_writer(*this);
}

void TransposeUnroller::evaluate(Cycle now) {
  const bool had_room = room_;
  room_ = output_.can_push(now + 1);
  if (room_ && !had_room && !input_.empty()) wake_at(now + 1);   // it may have come before this turn
  const IssuedCommand* head = input_.peek(now, 0);
  const IssuedCommand* next = input_.peek(now, 1);
  if (head == nullptr || !output_.can_push(now)) return;

  const bool preload = state_ == State::kIdle && head->command.op == isa::Op::kPreload;
  if (preload && transposes_weights_ && next == nullptr) return;
  const bool unroll = preload && transposes_weights_ && next->command.op == isa::Op::kComputeFlip;

  IssuedCommand& out = output_.emplace(now);
  out = *head;
  bool pop = true;
  if (unroll) {
    isa::fields::Preload::out_local.set(out.command.instruction, kGarbage);
    out.rob_valid = false;
    pop = false;
    state_ = State::kFirstCompute;
  } else if (state_ == State::kFirstCompute) {
    // Meant to have garbage operands, but the RTL overwrites the register numbers instead: it really reads A and B.
    out = *next;
    out.command.op = isa::Op::kComputeStay;
    out.command.instruction.funct = isa::fields::ComputeStay::kFunct;
    out.rob_valid = false;
    pop = false;
    state_ = State::kSecondPreload;
  } else if (state_ == State::kSecondPreload) {
    isa::fields::Preload::local.set(out.command.instruction, kGarbage);
    state_ = State::kIdle;
  } else if (out.command.op == isa::Op::kConfigEx) {
    using namespace isa::fields;
    const isa::Instruction& config = out.command.instruction;
    if (ConfigEx::set_only_strides.get(config) == 0) {
      transposes_weights_ = ConfigEx::dataflow.get(config) != 0 && ConfigEx::b_transpose.get(config) != 0;
    }
  }
  room_ = output_.can_push(now + 1);
  if (pop) {
    input_.drop(now, 1);
  } else if (room_) {
    wake_at(now + 1);
  }
}

std::string TransposeUnroller::state_text() const {
  if (input_.empty()) return {};
  switch (state_) {
    case State::kIdle: return transposes_weights_ ? "holds commands, transposed weights" : "holds commands";
    case State::kFirstCompute: return "unrolling: first compute";
    case State::kSecondPreload: return "unrolling: second preload";
  }
  return {};
}

}  // namespace systole::hw
