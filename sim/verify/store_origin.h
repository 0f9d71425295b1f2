#pragma once
// Which instruction of a program writes an address of main memory: the last step of naming a wrong value.
#include <cstdint>
#include <string>

#include "isa/program.h"

namespace systole::verify {

// The last instruction whose stores cover `address`, as "command 1234: mvout ... (region layer.0/ffn)"; empty when none does.
// `dim`: rows and columns of the array. Covers mvout and the matrix-multiplication loop.
[[nodiscard]] std::string last_store(const isa::Program& program, std::uint64_t address, int dim);

}  // namespace systole::verify
