#include "sim/report/stats_page.h"

#include "sim/report/table.h"

namespace systole::report {

std::string stats_text(const hw::MachineResult& example) {
  Table states({{"unit"}, {"state"}, {"kind"}, {"when"}});
  std::string text = "In every cycle a unit is in one of its states; JSON: units.UNIT.busy, .idle, .stall.STATE.\n\n";
  for (const hw::UnitAccount& account : example.accounts) {
    if (!states.empty()) states.rule();
    for (const hw::StateCycles& state : account.states) states.row({account.unit, state.name, state.stall ? "stall" : state.name, state.text});
  }
  Table counters({{"counter"}, {"counts"}});
  for (const hw::Counter& counter : example.counters) counters.row({counter.name, counter.text});
  return text + states.text() + "\nJSON: counters.NAME.\n\n" + counters.text();
}

}  // namespace systole::report
