#pragma once
// What the simulator is compared with in the same process: numbers that depend on the computer and not on the project.
#include <cstddef>
#include <cstdint>

#include "isa/program.h"
#include "sim/config/machine_config.h"

namespace systole::bench {

// C = A * B, int8 -> int32, row-major; with AVX2 (16-bit multiply-add on packed panels of 16 columns). k even, n a multiple of 16,
// m a multiple of 4. False when the CPU has no AVX2.
bool plain_gemm(std::size_t m, std::size_t n, std::size_t k, const std::int8_t* a, const std::int8_t* b, std::int32_t* c);

// Seconds of CPU time for `cycles` cycles of a 16 x 16 array written the textbook way: an SC_METHOD per processing element, sensitive to an
// sc_clock, which reads its neighbours' signals and writes two of its own. Once per process.
double pe_array_seconds(int cycles);

// The product that speed is quoted for, 512 x 768 x 768 with a bias, as the kernel library cuts it.
isa::Program gemm_program(const config::MachineConfig& machine);
inline constexpr std::uint64_t kGemmMacs = std::uint64_t{512} * 768 * 768;
inline constexpr std::uint64_t kGemmTiles = kGemmMacs / (16 * 16 * 16);

}  // namespace systole::bench
