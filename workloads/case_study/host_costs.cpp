#include "workloads/case_study/host_costs.h"

#include "sim/base/errors.h"

namespace systole::workloads {
namespace {

struct Kernel {
  HostOperation operation;
  HostCode code;
  double cycles, bytes;
};

constexpr Kernel kKernels[] = {
#define SYSTOLE_HOST_KERNEL(operation, code, cycles, bytes, text) \
  {HostOperation::operation, HostCode::code, cycles, bytes},
#include "workloads/case_study/host_costs.def"
#undef SYSTOLE_HOST_KERNEL
};

constexpr double kLineBytes = 64;

// Call, loop exits, and the scalar division or root of a row; measured like the kernels.
double row_overhead(HostOperation operation) {
  switch (operation) {
    case HostOperation::kSoftmax:
      return 136;
    case HostOperation::kLayerNorm:
      return 200;
    case HostOperation::kGelu:
    case HostOperation::kResidual:
    case HostOperation::kDequantise:
    case HostOperation::kQuantise:
      return 50;
  }
  return 0;
}

}  // namespace

const char* name_of(HostCode code) {
  switch (code) {
    case HostCode::kLibm:
      return "C library (-O2)";
    case HostCode::kPolynomial:
      return "polynomials of 5th order (-O2)";
    case HostCode::kIbert:
      return "I-BERT's polynomials, quantisation with a division (-O2)";
    case HostCode::kUnrolled:
      return "I-BERT's polynomials, unrolled by hand (-O3)";
  }
  return "";
}

double host_cycles(HostOperation operation, HostCode code, HostMemory memory, double rows, double columns) {
  for (const Kernel& kernel : kKernels) {
    if (kernel.operation != operation || kernel.code != code) continue;
    const double elements = rows * columns;
    return elements * kernel.cycles + elements * kernel.bytes / kLineBytes * memory.cycles_per_line +
           rows * row_overhead(operation);
  }
  SYSTOLE_CHECK(false);
  return 0;
}

}  // namespace systole::workloads
