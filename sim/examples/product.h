#pragma once
// What both examples compute: C = A * B with 16x16 int8 matrices, C int32, and the memory it works in.
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "isa/assembler.h"
#include "isa/program.h"
#include "sim/base/memory.h"

namespace example {

constexpr std::uint64_t kA = 0x80001000, kB = 0x80002000, kC = 0x80003000;
constexpr int kDim = 16;

inline systole::isa::Program product() {
  return systole::isa::assemble(R"(
    config_ex dataflow=1 a_stride=1 c_stride=1
    config_ld scale=1f stride=16
    mvin dram=0x80001000 local=0 cols=16 rows=16
    mvin dram=0x80002000 local=16 cols=16 rows=16
    preload local=16 cols=16 rows=16 out_local=0x80000000 out_cols=16 out_rows=16
    compute_flip a_local=0 a_cols=16 a_rows=16 b_local=garbage b_cols=16 b_rows=16
    config_st stride=64
    mvout dram=0x80003000 local=0xa0000000 cols=16 rows=16
    .fence
)", "product");
}

inline void fill(systole::Memory& memory) {
  for (int i = 0; i < kDim * kDim; ++i) {
    *memory.at(kA + i, 1) = static_cast<std::uint8_t>(i * 7 % 31 - 15);
    *memory.at(kB + i, 1) = static_cast<std::uint8_t>(i * 5 % 29 - 14);
  }
}

// Elements of C that are wrong.
inline int wrong(const systole::Memory& memory) {
  const auto element = [&](std::uint64_t base, int row, int column) { return static_cast<std::int8_t>(*memory.at(base + row * kDim + column, 1)); };
  int count = 0;
  for (int row = 0; row < kDim; ++row) {
    for (int column = 0; column < kDim; ++column) {
      std::int32_t expected = 0;
      for (int k = 0; k < kDim; ++k) expected += element(kA, row, k) * element(kB, k, column);
      std::int32_t actual;
      std::memcpy(&actual, memory.at(kC + (row * kDim + column) * 4, 4), 4);
      count += actual != expected;
    }
  }
  return count;
}

}  // namespace example
