#pragma once
// What the operations that a CPU takes over cost on the host, per element; measurements stand in host_costs.def.
#include <cstdint>

#include "hw/params/cpu.h"
#include "hw/params/memory.h"

namespace systole::hw {

// Dequantisation of int8 and of int32 are two loops.
enum class HostKernel : std::uint8_t { kSoftmax, kGelu, kLayerNorm, kResidual, kDequantise8, kDequantise32, kQuantise };
// What a user may call the code.
[[nodiscard]] const char* text_of(HostCode code);

// Where the data are. Cycles per 64-byte line that is not in the L1.
struct HostMemory {
  double cycles_per_line = 0;
};
inline constexpr HostMemory kHostL1{0};
inline constexpr HostMemory kHostL2{22};  // with the write-back of a dirty line
// DRAM: the latency from the address on AXI to the first beat, and 30 cycles around it.
[[nodiscard]] constexpr HostMemory host_dram(double axi_latency) { return {axi_latency + 30}; }
[[nodiscard]] HostMemory host_memory(const CpuParams& cpu, const SocParams& soc);

// Cycles for `elements` elements in `rows` rows.
[[nodiscard]] double host_cycles(HostKernel kernel, HostCode code, HostMemory memory, double rows, double elements);

}  // namespace systole::hw
