#pragma once
#include "hw/frontend/loop_conv_loop.h"
#include "isa/instruction.h"

namespace systole::hw {

// Copies what a LOOP_CONV_WS command or one of its configuration words says into `loop`. Both forms of words 1 to 3: the square one names
// one dimension for rows and columns.
void read_loop_conv_word(isa::Op op, const isa::Instruction& instruction, LoopConvLoop& loop);

}  // namespace systole::hw
