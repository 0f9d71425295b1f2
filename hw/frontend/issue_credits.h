#pragma once
#include "isa/instruction.h"

namespace systole::hw {

// Commands of a loop unroller that were done the moment they were issued: configurations never enter a controller's completion path
// (ReservationStation.scala, complete_on_issue). At most one per queue and cycle.
struct IssueCredits {
  bool load = false;
  bool store = false;
};

}  // namespace systole::hw
