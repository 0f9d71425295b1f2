#pragma once
// What passes between the two halves of the execute side: ExecuteController fetches operands and pushes one control entry per row step,
// MeshInput feeds the array when the data have arrived. Both belong to one group, MeshInput first.
#include <cstdint>
#include <string>
#include <vector>

#include "hw/datapath/gemm_array.h"
#include "hw/execute/control_queue.h"
#include "hw/params/machine.h"
#include "hw/ports/array_links.h"
#include "hw/ports/operand_port.h"
#include "isa/fields.h"

namespace systole::hw {

// Operations of the execute controller: a preload alone, a compute alone, or a compute together with the preload behind it.
enum class MeshOpKind : std::uint8_t { kPreload, kMul, kMulPreload };

// An operation on its way to the array: what all its row steps have in common (ExecuteController.scala ComputeCntlSignals).
struct MeshOp {
  MeshOpKind kind = MeshOpKind::kPreload;
  bool weight_stationary = false;
  bool a_transpose = false;
  bool bd_transpose = false;
  bool a_through_transposer = false;
  bool b_through_transposer = false;
  std::uint8_t shift = 0;
  std::uint16_t rows = 0;          // row steps, 4..dim
  unsigned live = 0;               // operands that are streamed and not garbage, one bit each
  ArrayTag tag;                    // without id
  isa::Instruction instruction;    // the compute, or the lone preload; for messages
  std::uint32_t sequence = 0;
};

struct ExecuteLinks final : OperandPort {
  explicit ExecuteLinks(const MachineParams& params)
      : control(static_cast<unsigned>(params.scratchpad.read_delay) + 1,
                // One cycle in the bank, one to enter the response path, and the path itself unless it is a queue.
                params.scratchpad.response_queue != 0 ? 2 : static_cast<Cycle>(params.scratchpad.read_delay) + 1),
        ops(operand_buffers(params)) {}

  [[nodiscard]] std::uint32_t watched_banks() const override { return watched; }
  void refused(Cycle at) override { controller->wake_at(at); }
  [[nodiscard]] bool reads(Cycle now, std::uint32_t bank) const override { return control.reads(now, bank); }
  [[nodiscard]] bool holds_latch(Cycle now, std::uint32_t bank) const override { return control.holds_latch(now, bank); }

  ControlQueue control;
  std::vector<MeshOp> ops;         // ring; as many as operand buffers, and with the same numbers

  bool row_by_row = false;         // every row step is pushed by itself
  std::uint32_t watched = 0;       // see OperandPort::watched_banks

  // Registers of ExecuteController, set after MeshInput has had its turn.
  bool flush = false;              // state FLUSH: a flush is offered when the control queue is empty
  bool flush_propagate = false;    // in_prop_flush
  bool a_through_transposer = false;
  bool b_through_transposer = false;
  Cycle steering_changed = kNever - 1;   // cycle in which one of the last two changed

  // MeshInput's request port in the cycle `reply_at`.
  Cycle reply_at = kNever;
  bool request_ready = false;
  bool request_fired = false;

  Unit* mesh_input = nullptr;      // woken when the control queue gets its first entry, while a flush is wanted, and by a cut
  Unit* controller = nullptr;      // woken when the control queue is full
};

}  // namespace systole::hw
