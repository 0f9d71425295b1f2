#include "hw/frontend/front_end_params.h"

#include "hw/params/derived.h"
#include "isa/local_address.h"

namespace systole::hw {

FrontEndParams make_front_end_params(const MachineParams& machine) {
  FrontEndParams params;
  params.revision = machine.revision;
  params.dim = machine.array.dim;
  params.scratchpad_rows = scratchpad_rows(machine);
  params.accumulator_rows = accumulator_rows(machine);
  params.accumulator_banks = machine.accumulator.banks;
  params.row_bits = row_bits(machine);
  params.cols_bits = mv_cols_bits(machine);
  params.rows_bits = rows_bits(machine);
  params.max_block_len = max_block_len(machine);
  params.max_block_len_acc = max_block_len_acc(machine);
  params.load_entries = machine.reservation.load;
  params.execute_entries = machine.reservation.execute;
  params.store_entries = machine.reservation.store;
  params.stores_serialised = machine.reservation.stores_serialised != 0;
  params.row_groups = machine.sfu.deferred_softmax != 0 && params.row_bits < isa::LocalAddress::kRowGroupShift;
  return params;
}

}  // namespace systole::hw
