#include "isa/model/model.h"

#include <fmt/format.h>

#include "sim/base/errors.h"

namespace systole::isa {

namespace model {

MachineState::MachineState(const Geometry& geometry)
    : scratchpad(static_cast<std::size_t>(geometry.scratchpad_rows()) * static_cast<std::size_t>(geometry.dim)),
      accumulator(static_cast<std::size_t>(geometry.accumulator_rows()) * static_cast<std::size_t>(geometry.dim)),
      statistics(static_cast<std::size_t>(geometry.stats_ids)),
      row_scales(kRowScales) {
  const auto elements = static_cast<std::size_t>(geometry.dim) * static_cast<std::size_t>(geometry.dim);
  array.operand.resize(elements);
  array.weights.resize(elements);
  array.next_weights.resize(elements);
  array.sums.resize(elements);
  const auto half = static_cast<std::uint32_t>(geometry.scratchpad_rows() / 2);
  for (std::uint32_t slot = 0; slot < matmul.slots.size(); ++slot) {
    matmul.slots[slot].a_start = slot * half;
    matmul.slots[slot].b_end = (slot + 1) * half;
  }
}

}  // namespace model

namespace {

const Geometry& validated(const Geometry& geometry) {
  geometry.validate();
  return geometry;
}

}  // namespace

Model::Model(const Geometry& geometry, Memory& memory)
    : geometry_(validated(geometry)),
      memory_(memory),
      scratchpad_mask_(static_cast<std::uint32_t>(geometry.scratchpad_rows()) - 1),
      accumulator_mask_(static_cast<std::uint32_t>(geometry.accumulator_rows()) - 1),
      row_bits_(geometry.row_bits()),
      state_(geometry),
      tile_(geometry.dim) {
  const auto elements = static_cast<std::size_t>(geometry.dim) * static_cast<std::size_t>(geometry.dim);
  a_matrix_.resize(elements);
  b_matrix_.resize(elements);
  c_matrix_.resize(elements);
  transposed_.resize(elements);
}

void Model::run(const Program& program, const std::function<void(const HostOp&)>& host) {
  for (const Item& item : program.items) {
    switch (item.kind) {
      case ItemKind::kCommand:
        execute(item.instruction);
        break;
      case ItemKind::kHostOp: {
        SYSTOLE_CHECK(item.value < program.host_ops.size());
        const HostOp& operation = program.host_ops[item.value];
        if (!host)
          throw ModelError("oracle", "", fmt::format("host operation '{}' and nobody to run it", operation.name));
        host(operation);
        break;
      }
      case ItemKind::kGap:
      case ItemKind::kFence:
      case ItemKind::kRegion:
        break;
    }
  }
}

void Model::execute(const Instruction& instruction) {
  current_ = instruction;
  in_loop_ = false;
  const std::optional<Op> op = decode(instruction, geometry_.revision, geometry_.loop_conv_encoding);
  if (!op) fail(fmt::format("unknown funct {}", instruction.funct));
  dispatch(*op, instruction);
  ++commands_;
}

void Model::dispatch(Op op, const Instruction& instruction) {
  switch (op) {
    case Op::kConfigLd:
      return config_load(instruction);
    case Op::kMvin:
      return mvin(instruction, 0);
    case Op::kMvin2:
      return mvin(instruction, 1);
    case Op::kMvin3:
      return mvin(instruction, 2);
    case Op::kConfigEx:
      return config_execute(instruction);
    case Op::kPreload:
      return preload(instruction);
    case Op::kComputeFlip:
      return compute(instruction, true);
    case Op::kComputeStay:
      return compute(instruction, false);
    case Op::kConfigSt:
      return config_store(instruction);
    case Op::kConfigNorm:
      return config_norm(instruction);
    case Op::kMvout:
      return mvout(instruction);
    case Op::kLoopWsBounds:
    case Op::kLoopWsAddrsAb:
    case Op::kLoopWsAddrsDc:
    case Op::kLoopWsStridesAb:
    case Op::kLoopWsStridesDc:
    case Op::kLoopWsSpadAb:
    case Op::kLoopWsSpadC:
      return config_matmul(op, instruction);
    case Op::kLoopWs:
      return loop_matmul(instruction);
    case Op::kLoopConv1:
    case Op::kLoopConv1Rect:
    case Op::kLoopConv2:
    case Op::kLoopConv2Rect:
    case Op::kLoopConv3:
    case Op::kLoopConv3Rect:
    case Op::kLoopConv4:
    case Op::kLoopConv5:
    case Op::kLoopConv6:
      return config_conv(op, instruction);
    case Op::kLoopConv:
      return loop_conv(instruction);
    case Op::kStoreSpad:  // completes and writes nothing on a machine without external scratchpad
    case Op::kFlush:      // translation is off
    case Op::kClockGate:
    case Op::kCounter:  // counts, but changes no value
      return;
  }
  SYSTOLE_CHECK(false);
}

std::uint8_t* Model::dram(std::uint64_t address, std::uint64_t bytes, const char* use) {
  if (!memory_.contains(address, bytes)) {
    fail(fmt::format("{} of {} bytes at {:#x} is outside of main memory {:#x}..{:#x}", use, bytes, address,
                     memory_.base(), memory_.base() + (memory_.bytes() - 1)));
  }
  return memory_.at(address, bytes);
}

void Model::fail(const std::string& what) const {
  std::string text = disassemble(current_, geometry_.revision, geometry_.loop_conv_encoding);
  if (in_loop_) text += ", unrolled: " + disassemble(unrolled_, geometry_.revision, geometry_.loop_conv_encoding);
  throw ModelError(fmt::format("oracle, command {}", commands_), text, what);
}

}  // namespace systole::isa
