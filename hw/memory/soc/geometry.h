#pragma once
// Shapes of the SoC's memory system that follow from the parameters.
#include <cstdint>

#include "hw/params/derived.h"
#include "hw/params/machine.h"

namespace systole::hw::soc {

inline constexpr unsigned kLineBytes = 64;
inline constexpr unsigned kWordBytes = 8;                            // the unit that the cache's data array writes (micro.writeBytes)
inline constexpr unsigned kLineWords = kLineBytes / kWordBytes;
inline constexpr std::uint64_t kFillBase = 0x8F000000;               // lines that fill the cache before the first command

// Lines are spread over the banks of the cache by their lowest address bits; each bank is a cache of its own. All numbers are powers of two.
struct Geometry {
  explicit Geometry(const MachineParams& m)
      : banks_of_lines(static_cast<unsigned>(m.soc.l2_banks)),
        ways(static_cast<unsigned>(m.soc.l2_ways)),
        sets(static_cast<unsigned>(m.soc.l2_kib) * 1024 / (kLineBytes * ways * banks_of_lines)),
        bus_bytes(static_cast<unsigned>(m.dma.bus_bytes)),
        bus_words(bus_bytes / kWordBytes),
        axi_words(static_cast<unsigned>(m.soc.axi_bytes) / kWordBytes),
        axi_beats(kLineWords / axi_words),
        // BankedStore.scala: four times the wider of the two ports, one bank a word.
        word_bank_mask(4 * (bus_words > axi_words ? bus_words : axi_words) - 1),
        lg_bus(log2_ceil(m.dma.bus_bytes)),
        lg_lines(log2_ceil(static_cast<int>(kLineBytes * banks_of_lines))),
        lg_sets(log2_ceil(static_cast<int>(sets))) {}

  [[nodiscard]] unsigned bank_of(std::uint64_t address) const { return static_cast<unsigned>(address / kLineBytes) & (banks_of_lines - 1); }
  [[nodiscard]] std::uint32_t set_of(std::uint64_t address) const { return static_cast<std::uint32_t>(address >> lg_lines) & (sets - 1); }
  [[nodiscard]] std::uint64_t tag_of(std::uint64_t address) const { return address >> lg_lines >> lg_sets; }
  [[nodiscard]] std::uint64_t address_of(std::uint64_t tag, std::uint32_t set, unsigned bank) const {
    return ((tag * sets + set) * banks_of_lines + bank) * kLineBytes;
  }

  // Word banks of the data array, one bit each, of the words `words` (bit 0: word `first` of the line).
  [[nodiscard]] std::uint32_t word_banks(std::uint32_t set, unsigned first, unsigned words) const {
    return words << ((set * kLineWords + first) & word_bank_mask);
  }

  unsigned banks_of_lines;
  unsigned ways;
  unsigned sets;         // of a bank
  unsigned bus_bytes;
  unsigned bus_words;
  unsigned axi_words;
  unsigned axi_beats;    // of a line
  unsigned word_bank_mask;
  int lg_bus;            // log2 of the bytes of a bus beat
  int lg_lines;          // log2 of the bytes from a bank's line to its next one
  int lg_sets;
};

}  // namespace systole::hw::soc
