#pragma once
#include "isa/program.h"
#include "sim/base/memory.h"

namespace systole::isa {

// Writes a program's initial memory. Throws ConfigError for an image that lies outside of `memory`.
void load_image(const Program& program, Memory& memory);

}  // namespace systole::isa
