#pragma once
// Reads a program as skip-ahead (hw/top/skip_ahead.h) needs it: what its commands ask of the machine as far as cycles depend on it.
//
// Where a command's data lie in memory matters to time only through the place within a page and through which accesses share a page
// (hw/dma/tlb.h; requests are cut by their alignment within a page, hw/dma/packet.h). So addresses are written down relative to the stretch of
// pages they belong to, and stretches by the order in which they appear; two stretches have no page in common. Scales and constants matter
// only by what they are equal to (hazards), and whether a scale is 1 (hw/sfu/mvin_scale.h).
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hw/params/machine.h"
#include "hw/ports/zero_sums.h"
#include "isa/host_operation.h"
#include "isa/instruction.h"
#include "isa/program.h"
#include "sim/base/memory.h"
#include "sim/base/residual.h"

namespace systole::hw {

// The words of two equal pieces of work are equal.
struct Work {
  struct Pages {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };
  // A name as the words give it: a number, and for pages the place in its stretch.
  struct Name {
    Residual::Name kind;
    std::uint32_t number = 0;   // of pages: 0 means "none of these pages"
    std::uint64_t place = 0;    // of registers: the word
  };
  std::vector<std::uint64_t> words;
  std::vector<std::uint64_t> scales;      // by number
  std::vector<std::uint64_t> constants;
  std::vector<Pages> pages;               // stretch n has number n + 1
  using Settings = std::array<bool, static_cast<std::size_t>(Residual::Setting::kSettings)>;
  Settings uses{};                        // before it sets them, if it does
  Settings sets{};
  bool in_memory = true;                  // no access leaves memory

  [[nodiscard]] std::optional<Name> name_of(const Residual::Named& named) const;
  // The word behind a name; nothing for a page outside.
  [[nodiscard]] std::optional<std::uint64_t> word_of(const Name& name) const;
};

class WorkReader {
 public:
  WorkReader(const MachineParams& params, const Memory& memory, const isa::Program& program, const ZeroSums* zero_sums = nullptr);

  // Why the program cannot be read so; empty when it can. Convolutions, max-pooling, and loops that reuse what an earlier loop was configured
  // with.
  [[nodiscard]] std::string refusal() const;
  // A load and a store, or two stores, of the same bytes of memory with no fence between them: what they leave depends on time. Names the
  // first such command; empty when there is none. Only for a program that is not refused.
  [[nodiscard]] std::string memory_race() const;

  // The work of items [begin, end) on a machine in this state. `begin` never decreases from call to call.
  [[nodiscard]] Work read(std::size_t begin, std::size_t end, const Residual& state);

  [[nodiscard]] bool starts_loop(const isa::Item& command) const { return decode(command.instruction) == isa::Op::kLoopWs; }

 private:
  // Bytes that a command touches: rows of `bytes` bytes, `stride` apart.
  struct Access {
    std::uint64_t address = 0;
    std::uint64_t stride = 0;
    std::uint64_t rows = 1;
    std::uint64_t bytes = 0;
    bool store = false;
    bool bias = false;      // of a loop, which reads each element before it writes the sum

    [[nodiscard]] std::uint64_t last() const { return address + (rows - 1) * stride + bytes - 1; }
  };
  // The configuration that accesses depend on.
  struct Registers {
    std::array<std::uint64_t, 3> load_stride{};
    std::array<bool, 3> shrink{};
    std::array<bool, 3> scaled{true, true, true};   // by another scale than 1
    std::uint64_t store_stride = 0;
    std::array<isa::Instruction, 5> loop{};   // bounds, addresses of A and B, of D and C, strides of A and B, of D and C
    std::uint32_t loop_set = 0;               // which of them are new since the last loop
  };
  static constexpr std::uint32_t kLoopWhole = 31;

  // Which settings a command uses and sets.
  void note_settings(isa::Op op, const isa::Instruction& instruction, const Registers& registers, Work& work) const;
  void configure(isa::Op op, const isa::Instruction& instruction, Registers& registers) const;
  // Appends the accesses of a command. False when there is no telling.
  bool accesses(isa::Op op, const isa::Instruction& instruction, const Registers& registers, std::vector<Access>& out) const;
  [[nodiscard]] std::optional<isa::HostOperation> host_operation(const isa::Item& item) const;
  [[nodiscard]] std::optional<isa::Op> decode(const isa::Instruction& instruction) const;
  [[nodiscard]] static bool overlap(const Access& a, const Access& b);
  [[nodiscard]] static bool in_place(const Access& a, const Access& b) { return (a.bias || b.bias) && a.address == b.address && a.stride == b.stride; }

  const MachineParams params_;
  const Memory& memory_;
  const isa::Program& program_;
  const ZeroSums* zero_sums_;
  std::size_t fences_ = 0;       // in front of item at_
  Registers registers_;          // in front of item at_
  std::size_t at_ = 0;
};

}  // namespace systole::hw
