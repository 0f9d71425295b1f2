#pragma once
// What software may know of a machine. Filled from hw/params (or by a test); kernels read nothing else of the hardware.
#include <cstdint>

namespace systole::kernels {

// Additions to the stock special functions that a Transformer on raw int32 accumulators needs.
struct Extensions {
  bool integer_exp = true;         // E0: softmax uses the I-BERT exponential (RTL up to 2023), not the GELU polynomial
  bool pre_shift = true;           // E1: rounding right shift of accumulator words in front of the non-linear functions
  bool accumulator_scale = true;   // E2: fp32 scale on mvins to the accumulator, int8 and int32 sources
  bool norm_affine = true;         // E3: LayerNorm with gamma and beta
  bool deferred_softmax = true;    // E4: unnormalised exponentials, row sums applied at the context read-out
  bool wide_variance = true;       // E5: 64-bit LayerNorm statistics
};

// How products are cut into loops: the published heuristic of Gemmini's library, or the cheapest of all cuts by price.
enum class Tiler : std::uint8_t { kSearch, kGemmini };
[[nodiscard]] constexpr const char* name_of(Tiler tiler) { return tiler == Tiler::kSearch ? "search" : "gemmini"; }

struct Target {
  Tiler tiler = Tiler::kSearch;        // a choice of the software, not of the machine
  int dim = 16;                        // rows and columns of the array; elements of a local row
  std::uint32_t scratchpad_rows = 16384;
  int scratchpad_banks = 4;
  std::uint32_t accumulator_rows = 1024;
  int accumulator_banks = 2;
  int dma_max_bytes = 64;              // largest memory request; bounds the columns of one mvin or mvout
  bool normaliser = true;
  Extensions extensions;
  int revision = 2023;

  // Column blocks of one mvin or mvout of int8 data, and of int32 data (Configs.scala: dma_maxbytes over the row's bytes).
  [[nodiscard]] int max_blocks() const { return dma_max_bytes > dim ? dma_max_bytes / dim : 1; }
  [[nodiscard]] int max_blocks_acc() const { return dma_max_bytes > 4 * dim ? dma_max_bytes / (4 * dim) : 1; }
  // Bits of a row number in a local address: those of the larger memory (LocalAddr.scala).
  [[nodiscard]] int row_bits() const {
    const std::uint32_t rows = scratchpad_rows > accumulator_rows ? scratchpad_rows : accumulator_rows;
    int bits = 0;
    while ((std::uint32_t{1} << bits) < rows) ++bits;
    return bits;
  }
  // Entries of the row-scale memory of E4.
  static constexpr int kRowScales = 1024;
};

[[nodiscard]] constexpr std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }
[[nodiscard]] constexpr std::uint64_t round_up(std::uint64_t a, std::uint64_t b) { return ceil_div(a, b) * b; }

}  // namespace systole::kernels
