#pragma once
// A 32-bit local address: which memory, which row, and what is done with the row (LocalAddr.scala).
#include <cstdint>

namespace systole::isa {

// Bits of a row number: the larger of scratchpad and accumulator (a property of the machine, so it is passed in).
// garbage = "no operand": bits 31..29 set, the bit above the row number set, all row bits set.
class LocalAddress {
 public:
  constexpr LocalAddress() = default;
  constexpr explicit LocalAddress(std::uint32_t bits) : bits_(bits) {}

  static constexpr std::uint32_t kAccumulatorBit = 1u << 31;
  static constexpr std::uint32_t kAccumulateBit = 1u << 30;
  static constexpr std::uint32_t kFullRowBit = 1u << 29;
  static constexpr int kNormCommandShift = 26;
  static constexpr std::uint32_t kGarbage = 0xFFFFFFFFu;

  [[nodiscard]] constexpr std::uint32_t bits() const { return bits_; }
  [[nodiscard]] constexpr bool is_accumulator() const { return (bits_ & kAccumulatorBit) != 0; }
  [[nodiscard]] constexpr bool accumulate() const { return (bits_ & kAccumulateBit) != 0; }
  [[nodiscard]] constexpr bool full_row() const { return (bits_ & kFullRowBit) != 0; }
  [[nodiscard]] constexpr std::uint32_t norm_command() const { return (bits_ >> kNormCommandShift) & 7u; }
  // Extension E4: which block of dim row scales a store uses. LOOP_WS puts its row of tiles plus its row_group here; 0 on machines
  // whose row numbers need the bits.
  static constexpr int kRowGroupShift = 20;
  static constexpr std::uint32_t kRowGroups = 64;
  [[nodiscard]] constexpr std::uint32_t row_group(int row_bits) const {
    return row_bits < kRowGroupShift ? (bits_ >> kRowGroupShift) & (kRowGroups - 1u) : 0;
  }
  [[nodiscard]] constexpr std::uint32_t row(int row_bits) const { return bits_ & ((1u << row_bits) - 1u); }
  [[nodiscard]] constexpr bool is_garbage(int row_bits) const {
    const std::uint32_t rows = (1u << row_bits) - 1u;
    return (bits_ >> 29) == 7u && (bits_ & rows) == rows && ((bits_ >> row_bits) & 1u) != 0;
  }
  // The address n rows further on: only the row number changes, modulo 2^row_bits.
  [[nodiscard]] constexpr LocalAddress plus(std::uint32_t n, int row_bits) const {
    const std::uint32_t rows = (1u << row_bits) - 1u;
    return LocalAddress((bits_ & ~rows) | ((bits_ + n) & rows));
  }

 private:
  std::uint32_t bits_ = 0;
};

// Registers of Systole's extensions that config_norm.ext_select chooses; q_const is the value. Reset to 0: a stock program is unchanged.
//   kPreShift       bits 4..0: E1, places by which an accumulator word is shifted right (round half to even) before LayerNorm, GELU and
//                   the exponentials, in their statistics as well
//   kAffineRow      E3, accumulator row r of the gains and biases of kLayerNormAffine, fp32 bit patterns: row r + 2c holds the gains, row
//                   r + 2c + 1 the biases of column block c. c counts the blocks that have left since the row's kInvStddev.
//   kRowScaleBase   E4, first of 1024 fp32 row scales. kInvSumExp writes 127 / sum, kRowScale reads; the entry is
//                   base + dim * (row group) + (accumulator row mod dim), modulo 1024
//   kFlags          bit 0: E5, LayerNorm with 64-bit sums
enum class ExtensionRegister : std::uint8_t { kNone, kPreShift, kAffineRow, kRowScaleBase, kFlags };

// Normaliser commands carried by an mvout's local address (NormCmd.scala).
enum class NormCommand : std::uint8_t { kReset, kSum, kMean, kVariance, kInvStddev, kMax, kSumExp, kInvSumExp };

// Activation codes (Activation.scala); from kExp on Systole's extensions E3 and E4.
enum class Activation : std::uint8_t { kNone, kRelu, kLayerNorm, kIgelu, kSoftmax, kExp, kRowScale, kLayerNormAffine };

}  // namespace systole::isa
