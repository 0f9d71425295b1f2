#include "hw/host/host_traffic.h"

namespace systole::hw {

std::vector<HostAccess> accesses_of(const isa::HostOperation& o) {
  const isa::HostOperandBytes bytes = isa::operand_bytes(o.kind);
  std::vector<HostAccess> accesses;
  const auto add = [&](const isa::HostRows& rows, std::uint64_t row, std::uint64_t elements, std::uint64_t element, bool write) {
    if (element != 0) accesses.push_back({rows.address + row * rows.stride, elements * element, write, false});
  };
  for (std::uint64_t row = 0; row < o.rows; ++row) {
    add(o.in, row, o.width(row), bytes.in, false);
    if (o.kind == isa::HostOperationKind::kLayerNorm) {   // gamma, beta
      add(o.second, 0, o.columns, bytes.second, false);
      add(o.second, 1, o.columns, bytes.second, false);
    } else {
      add(o.second, row, o.width(row), bytes.second, false);
    }
    add(o.out, row, o.columns, bytes.out, true);
  }
  accesses.back().last = true;
  return accesses;
}

}  // namespace systole::hw
