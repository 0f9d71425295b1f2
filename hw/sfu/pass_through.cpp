#include "hw/sfu/pass_through.h"

namespace systole::hw {

PassThrough::PassThrough(RowActivator& activator, Unit& consumer, Unit& producer)
    : activator_(activator), rows_("pass_through", 1, 2) {
  rows_.bind_reader(consumer);
  rows_.bind_writer(producer);
}

StoreRow PassThrough::take_output(Cycle now) {
  StoreRow row = rows_.pop(now);
  activator_.activate(now, row, {});
  return row;
}

}  // namespace systole::hw
