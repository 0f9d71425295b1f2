#pragma once
// What passes between the two halves of the execute side: ExecuteController fetches operands and pushes one control entry per row step,
// MeshInput feeds the array when the data have arrived. Both belong to one group, MeshInput first.
#include <cstdint>
#include <string>
#include <vector>

#include "hw/datapath/gemm_array.h"
#include "hw/params/machine.h"
#include "hw/ports/array_links.h"
#include "isa/fields.h"
#include "sim/kernel/channel.h"

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

// One row step: at most one row of each operand.
struct ControlEntry {
  std::uint16_t op = 0;                          // index into ExecuteLinks::ops
  std::uint8_t fire = 0;                         // operands that step, one bit each
  std::uint8_t waits = 0;                        // of these: data must arrive from the scratchpad
  std::uint8_t bank[kOperands] = {0, 0, 0};
  std::uint8_t step[kOperands] = {0, 0, 0};
  bool first = false;                            // nothing of the operation was fetched before
  bool propagate = false;                        // exchange the registers when the request fires
};

struct ExecuteLinks {
  explicit ExecuteLinks(const MachineParams& params)
      : control("execute.control", 1, static_cast<unsigned>(params.scratchpad.read_delay) + 1, Full::kPipe), ops(operand_buffers(params)) {}

  Channel<ControlEntry> control;
  std::vector<MeshOp> ops;         // ring; as many as operand buffers, and with the same numbers

  // Registers of ExecuteController, set after MeshInput has had its turn.
  bool flush = false;              // state FLUSH: a flush is offered when the control queue is empty
  bool flush_propagate = false;    // in_prop_flush
  bool a_through_transposer = false;
  bool b_through_transposer = false;
  Unit* mesh_input = nullptr;      // woken by ExecuteController while it flushes

  // MeshInput's request port in the cycle `reply_at`.
  Cycle reply_at = kNever;
  bool request_ready = false;
  bool request_fired = false;
};

}  // namespace systole::hw
