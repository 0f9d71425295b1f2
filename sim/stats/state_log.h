#pragma once
// Receives what the accounts of a machine's units sum up: every period that a unit spends in one state.
#include <vector>

#include "sim/base/cycle.h"

namespace systole {

class Ledger;

class StateLog {
 public:
  virtual ~StateLog() = default;
  // Before the first period. `unit` and `state` below are indices into the ledgers and into their states().
  virtual void units(const std::vector<const Ledger*>& ledgers) = 0;
  // The run's first cycle, before the first period that ends behind it.
  virtual void begin(Cycle origin) = 0;
  // [from, to), not empty. The periods of a unit come in order and leave no gap, from cycle 0 to the end of the run or a little beyond it.
  virtual void period(unsigned unit, unsigned state, Cycle from, Cycle to) = 0;
};

}  // namespace systole
