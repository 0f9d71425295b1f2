#pragma once
// What the front end knows of a machine: geometry, field widths and sizes of the reservation station, in plain numbers.
#include "hw/params/machine.h"

namespace systole::hw {

struct FrontEndParams {
  int revision = 2023;
  int dim = 16;
  int scratchpad_rows = 0;
  int accumulator_rows = 0;
  int accumulator_banks = 0;
  int row_bits = 0;            // of a row number inside a local address
  int cols_bits = 0;           // decoded bits of an mvin's or mvout's cols
  int rows_bits = 0;           // decoded bits of rows, and of an execute operand's cols
  int max_block_len = 0;       // blocks of `dim` columns that one int8 mvin or mvout spans
  int max_block_len_acc = 0;   // the same for int32
  int load_entries = 0;
  int execute_entries = 0;
  int store_entries = 0;
  bool stores_serialised = false;
  bool row_groups = false;     // extension E4: stores of LOOP_WS carry their row of tiles
};

[[nodiscard]] FrontEndParams make_front_end_params(const MachineParams& machine);

}  // namespace systole::hw
