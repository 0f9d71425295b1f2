#pragma once
// Static checks of a Program against a Geometry: what can be said about its commands without running it. A program
// without errors does not touch a row or byte outside of the machine; warnings are legal but probably not meant.
#include <cstdint>
#include <string>
#include <vector>

#include "isa/geometry.h"
#include "isa/program.h"

namespace systole::isa {

struct Finding {
  enum class Severity : std::uint8_t { kError, kWarning };
  Severity severity = Severity::kError;
  std::size_t item = 0;     // index into Program::items; their number for a finding about the whole program
  std::string what;         // the rule that is broken, with the numbers
  std::string instruction;  // disassembled; empty when it is not about a command
};

// The range of main memory a program may use.
struct MemoryRange {
  std::uint64_t base = 0x80000000;
  std::uint64_t bytes = std::uint64_t{1} << 32;
  [[nodiscard]] bool contains(std::uint64_t address, std::uint64_t count) const {
    return address >= base && count <= bytes && address - base <= bytes - count;
  }
};

// All findings in program order, at most `max_findings`. Throws ConfigError for an impossible geometry.
[[nodiscard]] std::vector<Finding> check_legality(const Program& program, const Geometry& geometry,
                                                  const MemoryRange& memory = {}, std::size_t max_findings = 100);

// "item 12: error: ... (mvin ...)"
[[nodiscard]] std::string to_string(const Finding& finding);

}  // namespace systole::isa
