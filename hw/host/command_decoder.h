#pragma once
// What a host's command means to a machine of a revision.
#include <optional>

#include "isa/instruction.h"

namespace systole::hw {

// Nothing for a funct that the revision does not know, or that only the host knows. The words of convolutions exist in two forms:
// `loop_conv_revision` 2023 is the square one, 2025 the rectangular one.
[[nodiscard]] inline std::optional<isa::Op> decode_host_command(const isa::Instruction& instruction, int revision, int loop_conv_revision) {
  std::optional<isa::Op> op = isa::decode(instruction, revision);
  if (!op) return op;
  switch (*op) {
    case isa::Op::kLoopConv1:
    case isa::Op::kLoopConv1Rect:
    case isa::Op::kLoopConv2:
    case isa::Op::kLoopConv2Rect:
    case isa::Op::kLoopConv3:
    case isa::Op::kLoopConv3Rect: op = isa::decode(instruction, loop_conv_revision); break;
    default: break;
  }
  if (op && isa::info(*op).queue == isa::Queue::kHost) return std::nullopt;
  return op;
}

}  // namespace systole::hw
