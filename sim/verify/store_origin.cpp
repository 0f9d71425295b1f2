#include "sim/verify/store_origin.h"

#include <optional>

#include <fmt/format.h>

#include "isa/instruction.h"
#include "isa/local_address.h"

namespace systole::verify {
namespace {

// Does a matrix of `rows` x `row_bytes` at `base`, `stride` bytes from row to row, cover `address`?
bool covers(std::uint64_t base, std::uint64_t rows, std::uint64_t row_bytes, std::uint64_t stride, std::uint64_t address) {
  if (address < base || rows == 0) return false;
  const std::uint64_t offset = address - base;
  if (stride == 0) return offset < row_bytes;
  const std::uint64_t row = offset / stride;
  // Rows longer than the stride overlap: an address may belong to the row before as well.
  return (row < rows && offset - row * stride < row_bytes) || (row > 0 && row - 1 < rows && offset - (row - 1) * stride < row_bytes);
}

// What stores depend on, kept up to date while walking through the commands.
class StoreState {
 public:
  explicit StoreState(int dim) : dim_(static_cast<std::uint64_t>(dim)) {}

  [[nodiscard]] bool stores_to(const isa::Instruction& instruction, std::uint64_t address) {
    namespace f = isa::fields;
    const std::optional<isa::Op> op = isa::decode(instruction);
    if (!op) return false;
    if (*op == isa::Op::kConfigSt) stride_ = f::ConfigSt::stride.get(instruction);
    if (*op == isa::Op::kLoopWsBounds) bounds_ = instruction;
    if (*op == isa::Op::kLoopWsAddrsDc) addresses_ = instruction;
    if (*op == isa::Op::kLoopWsStridesDc) strides_ = instruction;
    if (*op == isa::Op::kMvout) {
      const isa::LocalAddress local(static_cast<std::uint32_t>(f::Mvout::local.get(instruction)));
      const std::uint64_t bytes = local.is_accumulator() && local.full_row() ? 4 : 1;
      return covers(f::Mvout::dram.get(instruction), f::Mvout::rows.get(instruction), f::Mvout::cols.get(instruction) * bytes, stride_, address);
    }
    if (*op == isa::Op::kLoopWs) {
      const std::uint64_t bytes = f::LoopWs::full_c.get(instruction) != 0 ? 4 : 1;
      const std::uint64_t rows = f::LoopWsBounds::max_i.get(bounds_) * dim_ - f::LoopWsBounds::pad_i.get(bounds_);
      const std::uint64_t cols = f::LoopWsBounds::max_j.get(bounds_) * dim_ - f::LoopWsBounds::pad_j.get(bounds_);
      const std::uint64_t base = f::LoopWsAddrsDc::c.get(addresses_);
      return base != 0 && covers(base, rows, cols * bytes, f::LoopWsStridesDc::c.get(strides_) * bytes, address);
    }
    return false;
  }

 private:
  std::uint64_t dim_;
  std::uint64_t stride_ = 0;
  isa::Instruction bounds_;
  isa::Instruction addresses_;
  isa::Instruction strides_;
};

}  // namespace

std::string last_store(const isa::Program& program, std::uint64_t address, int dim) {
  StoreState state(dim);
  std::string region;
  std::string origin;
  std::uint64_t command = 0;
  for (const isa::Item& item : program.items) {
    if (item.kind == isa::ItemKind::kRegion) region = program.regions.at(item.value).name;
    if (item.kind != isa::ItemKind::kCommand) continue;
    if (state.stores_to(item.instruction, address)) {
      origin = fmt::format("command {}: {}{}", command, isa::disassemble(item.instruction), region.empty() ? "" : " (region " + region + ")");
    }
    ++command;
  }
  return origin;
}

}  // namespace systole::verify
