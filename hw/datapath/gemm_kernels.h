#pragma once
// The versions of the tile product, for gemm.cpp only. A version's function may be called only on a CPU that has the instructions.
#include "hw/datapath/gemm.h"

namespace systole::hw {

extern const GemmKernel kGemmPortable;
#if defined(__x86_64__)
extern const GemmKernel kGemmSse2;          // any array
extern const GemmKernel kGemmAvx2;          // arrays of 8 and more
extern const GemmKernel kGemmAvx512Vnni;    // arrays of 16 and more
#endif

}  // namespace systole::hw
