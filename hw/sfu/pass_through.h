#pragma once
// What stands in the normaliser's place on a machine without one: a two-entry queue (Normalizer.scala passthru).
#include "hw/ports/store_stages.h"
#include "hw/sfu/row_activator.h"
#include "sim/kernel/channel.h"

namespace systole::hw {

class PassThrough final : public NormaliserPort {
 public:
  // `consumer` is woken when a row can leave, `producer` when room appears.
  PassThrough(RowActivator& activator, Unit& consumer, Unit& producer);

  [[nodiscard]] const StoreRow* output(Cycle now) override { return rows_.front(now); }
  StoreRow take_output(Cycle now) override;
  [[nodiscard]] bool ready(Cycle now, int) override { return rows_.can_push(now); }
  void accept(Cycle now, const StoreRow& row) override { rows_.push(now, row); }
  void residual(Residual& r) { rows_.residual(r); }

 private:
  RowActivator& activator_;
  Channel<StoreRow> rows_;
};

}  // namespace systole::hw
