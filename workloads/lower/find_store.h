#pragma once
// Which instruction of a program wrote a byte of memory?
#include <cstdint>
#include <optional>
#include <string>

#include "isa/program.h"

namespace systole::workloads {

struct Store {
  std::size_t item = 0;      // index in Program::items
  std::string instruction;   // disassembled
  std::string region;        // of the program; empty before the first
};

// The last mvout, or loop with an output, that covers `address`. `dim`: elements of a local row. Convolutions are not looked at.
[[nodiscard]] std::optional<Store> find_store(const isa::Program& program, std::uint64_t address, int dim);

}  // namespace systole::workloads
