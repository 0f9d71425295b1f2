#include "hw/params/host_costs.h"

#include "sim/base/errors.h"

namespace systole::hw {
namespace {

struct Kernel {
  HostKernel kernel;
  HostCode code;
  double cycles, bytes;
};

constexpr Kernel kKernels[] = {
#define SYSTOLE_HOST_KERNEL(kernel, code, cycles, bytes, text) {HostKernel::kernel, HostCode::code, cycles, bytes},
#include "hw/params/host_costs.def"
#undef SYSTOLE_HOST_KERNEL
};

constexpr double kLineBytes = 64;

// Call, loop exits, and the scalar division or root of a row; measured like the kernels.
double row_overhead(HostKernel kernel) {
  switch (kernel) {
    case HostKernel::kSoftmax:
      return 136;
    case HostKernel::kLayerNorm:
      return 200;
    case HostKernel::kGelu:
    case HostKernel::kResidual:
    case HostKernel::kDequantise8:
    case HostKernel::kDequantise32:
    case HostKernel::kQuantise:
      return 50;
  }
  return 0;
}

}  // namespace

const char* text_of(HostCode code) {
  switch (code) {
    case HostCode::kLibm:
      return "C library (-O2)";
    case HostCode::kSizeLibm:
      return "size-optimised C library, nearbyintf and divisions (-O2)";
    case HostCode::kPolynomial:
      return "polynomials of 5th order (-O2)";
    case HostCode::kFastMath:
      return "polynomials of 5th order, rintf (-O3 -ffast-math -funroll-loops)";
    case HostCode::kIbert:
      return "I-BERT's polynomials, quantisation with a division (-O2)";
    case HostCode::kUnrolled:
      return "I-BERT's polynomials, unrolled by hand (-O3)";
    case HostCode::kUnoptimised:
      return "C library, no optimisation (-O0)";
  }
  return "";
}

HostMemory host_memory(const CpuParams& cpu, const SocParams& soc) {
  switch (cpu.data) {
    case HostData::kL1:
      return kHostL1;
    case HostData::kL2:
      return kHostL2;
    case HostData::kDram:
      return host_dram(soc.axi_latency);
  }
  SYSTOLE_CHECK(false);
  return {};
}

double host_cycles(HostKernel kernel, HostCode code, HostMemory memory, double rows, double elements) {
  for (const Kernel& k : kKernels) {
    if (k.kernel != kernel || k.code != code) continue;
    return elements * k.cycles + elements * k.bytes / kLineBytes * memory.cycles_per_line + rows * row_overhead(kernel);
  }
  SYSTOLE_CHECK(false);
  return 0;
}

}  // namespace systole::hw
