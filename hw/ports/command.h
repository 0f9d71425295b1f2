#pragma once
// Commands on their way from the host to a controller, and their completion on the way back.
#include <cstdint>

#include "isa/fields.h"
#include "isa/instruction.h"
#include "sim/base/residual.h"

namespace systole::hw {

// Who made a command: the host, or a loop unroller. Unrollers count the commands of their own that are still in flight.
enum class Origin : std::uint8_t { kHost, kLoopWs, kLoopConv };

struct Command {
  isa::Instruction instruction;
  isa::Op op = isa::Op::kFlush;
  Origin origin = Origin::kHost;
  std::uint32_t sequence = 0;   // number of the host's command it comes from; for messages and accounting
};

// Name of a reservation-station entry: its queue (load, execute or store) and index (ReservationStation.scala, rob_id).
struct RobId {
  isa::Queue queue = isa::Queue::kLoad;
  std::uint8_t index = 0;
};

struct IssuedCommand {
  Command command;
  RobId rob;
  bool rob_valid = true;   // false for commands that the transpose/preload unroller invents: they complete nothing
};

struct Completion {
  RobId rob;
  Origin origin = Origin::kHost;
};

inline void residual_of(Residual& r, RobId& id) {
  r(id.queue);
  r(id.index);
}
// The operands of a command for the array: an address in the lower half of each word.
inline void residual_of(Residual& r, isa::Instruction& instruction) {
  r(instruction.funct);
  for (std::uint64_t* word : {&instruction.rs1, &instruction.rs2}) {
    auto address = static_cast<std::uint32_t>(*word);
    auto sizes = static_cast<std::uint32_t>(*word >> 32);
    r.operand(address);
    r(sizes);
    *word = std::uint64_t{sizes} << 32 | address;
  }
}
// A command of the host that was not changed on its way is known by its number. Of others the instruction is compared, which must not name
// main memory.
inline void residual_of(Residual& r, Command& command) {
  r(command.op);
  r(command.origin);
  r.sequence(command.sequence);
  if (command.origin == Origin::kHost && isa::queue_of(command.op) != isa::Queue::kExecute) {
    if (r.loads()) command.instruction = r.command(command.sequence);
    return;
  }
  r.rest(isa::queue_of(command.op) == isa::Queue::kExecute);
  residual_of(r, command.instruction);
}
inline void residual_of(Residual& r, IssuedCommand& issued) {
  residual_of(r, issued.command);
  residual_of(r, issued.rob);
  r(issued.rob_valid);
}

// For readers that count completions: who made the command, and its queue (load, execute, store).
constexpr unsigned completion_class(Origin origin, isa::Queue queue) { return static_cast<unsigned>(origin) * 4 + static_cast<unsigned>(queue); }

// Inputs of the completion port: the execute controller wins over loads, loads over stores (Controller.scala).
enum CompletionSource : unsigned { kCompletionExecute, kCompletionLoad, kCompletionStore, kCompletionSources };

}  // namespace systole::hw
