#pragma once
// What the operations of a Transformer that a CPU takes over cost on the host, per element; measurements stand in
// host_costs.def.
#include <cstdint>

namespace systole::workloads {

enum class HostOperation : std::uint8_t { kSoftmax, kGelu, kLayerNorm, kResidual, kDequantise, kQuantise };
// How the code is written: with the C library's functions, with polynomials of 5th order, with I-BERT's of 2nd order,
// or with those unrolled by hand.
enum class HostCode : std::uint8_t { kLibm, kPolynomial, kIbert, kUnrolled };
[[nodiscard]] const char* name_of(HostCode code);

// Where the data are. Cycles per 64-byte line that is not in the L1.
struct HostMemory {
  double cycles_per_line = 0;
};
inline constexpr HostMemory kHostL2{22};  // with the write-back of a dirty line
// DRAM: the latency from the address on AXI to the first beat, and 30 cycles around it.
[[nodiscard]] constexpr HostMemory host_dram(double axi_latency) { return {axi_latency + 30}; }

// Cycles for `rows` rows of `columns` elements.
[[nodiscard]] double host_cycles(HostOperation operation, HostCode code, HostMemory memory, double rows,
                                 double columns);

}  // namespace systole::workloads
