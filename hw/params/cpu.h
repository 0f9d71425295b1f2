#pragma once
#include "hw/params/visit.h"

namespace systole::hw {

// How the code of operations that the CPU takes over is written and compiled: with the C library's functions; the same with a
// size-optimised library, nearbyintf and divisions; with polynomials of 5th order; those with -ffast-math; with I-BERT's of 2nd
// order; those unrolled by hand; without optimisation.
enum class HostCode { kLibm, kSizeLibm, kPolynomial, kFastMath, kIbert, kUnrolled, kUnoptimised };
// Where their data are.
enum class HostData { kL1, kL2, kDram };

// The CPU that issues commands, and computes what the accelerator has no unit for.
struct CpuParams {
  HostCode code = HostCode::kLibm;
  HostData data = HostData::kDram;
  int loop_cycles = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.choice(self.code, "code", Choices{"libm", "size_libm", "polynomial", "fast_math", "ibert", "unrolled", "unoptimised"}, "code of operations that the CPU takes over, as measured on Rocket", "hw/params/host_costs.def");
    v.choice(self.data, "data", Choices{"l1", "l2", "dram"}, "memory.model = ideal: where the data of those operations are; dram: behind soc.axi_latency. With soc they are where the caches have them", "Systole");
    v(self.loop_cycles, "loop_cycles", range(0, 100000), "cycles of the CPU before the commands of a loop_ws: 77 to 89 measured for the library's loop nest, 0: they are ready", "Rocket RTL");
  }
};

}  // namespace systole::hw
