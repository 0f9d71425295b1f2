#include "workloads/lower/find_store.h"

#include "isa/instruction.h"
#include "isa/local_address.h"

namespace systole::workloads {
namespace {

namespace f = isa::fields;
using isa::Op;

// Rows of `row_bytes` bytes, `stride` apart.
bool covers(std::uint64_t first, std::uint64_t rows, std::uint64_t row_bytes, std::uint64_t stride, std::uint64_t address) {
  if (address < first || rows == 0) return false;
  const std::uint64_t offset = address - first;
  if (stride == 0) return offset < row_bytes;
  return offset / stride < rows && offset % stride < row_bytes;
}

}  // namespace

std::optional<Store> find_store(const isa::Program& program, std::uint64_t address, int dim) {
  std::optional<Store> found;
  std::uint64_t store_stride = 0;
  std::uint64_t i = 0, j = 0, pad_i = 0, pad_j = 0, c = 0, c_stride = 0;
  std::string region;
  std::size_t region_index = 0;
  bool in_region = false;
  const auto tile = static_cast<std::uint64_t>(dim);
  for (std::size_t n = 0; n < program.items.size(); ++n) {
    const isa::Item& item = program.items[n];
    if (item.kind == isa::ItemKind::kRegion) {
      region_index = static_cast<std::size_t>(item.value);
      in_region = true;
    }
    if (item.kind != isa::ItemKind::kCommand) continue;
    const isa::Instruction& in = item.instruction;
    const std::optional<Op> op = isa::decode(in);
    if (!op) continue;
    bool hit = false;
    if (*op == Op::kConfigSt) {
      store_stride = f::ConfigSt::stride.get(in);
    } else if (*op == Op::kMvout) {
      const isa::LocalAddress local(static_cast<std::uint32_t>(f::Mvout::local.get(in)));
      // Other commands only collect statistics.
      const bool written = !local.is_accumulator() || local.norm_command() == static_cast<std::uint32_t>(isa::NormCommand::kReset);
      const std::uint64_t bytes = local.is_accumulator() && local.full_row() ? 4 : 1;
      hit = written && covers(f::Mvout::dram.get(in), f::Mvout::rows.get(in), f::Mvout::cols.get(in) * bytes, store_stride, address);
    } else if (*op == Op::kLoopWsBounds) {
      i = f::LoopWsBounds::max_i.get(in), j = f::LoopWsBounds::max_j.get(in);
      pad_i = f::LoopWsBounds::pad_i.get(in), pad_j = f::LoopWsBounds::pad_j.get(in);
    } else if (*op == Op::kLoopWsAddrsDc) {
      c = f::LoopWsAddrsDc::c.get(in);
    } else if (*op == Op::kLoopWsStridesDc) {
      c_stride = f::LoopWsStridesDc::c.get(in);
    } else if (*op == Op::kLoopWs && c != 0) {
      const std::uint64_t bytes = f::LoopWs::full_c.get(in) != 0 ? 4 : 1;
      hit = covers(c, i * tile - pad_i, (j * tile - pad_j) * bytes, c_stride * bytes, address);
    }
    if (hit) {
      found = Store{n, isa::disassemble(in), in_region ? program.regions[region_index].name : std::string()};
    }
  }
  return found;
}

}  // namespace systole::workloads
