#include "tests/support/run_text.h"

#include <sstream>

namespace systole::test {

void append_accounts(std::ostream& out, const std::vector<hw::UnitAccount>& accounts) {
  for (const hw::UnitAccount& account : accounts) {
    for (const hw::StateCycles& state : account.states) out << account.unit << '.' << state.name << ' ' << state.cycles << '\n';
  }
}

void append_regions(std::ostream& out, const std::vector<hw::RegionCycles>& regions) {
  for (const hw::RegionCycles& region : regions) {
    out << "region " << region.region << ' ' << region.cycles << '\n';
    append_accounts(out, region.accounts);
  }
}

std::string run_text(const hw::MachineResult& result) {
  std::ostringstream out;
  out << "cycles " << result.cycles << "\norigin " << result.origin << '\n';
  for (const Cycle fence : result.fences) out << "fence " << fence << '\n';
  for (const Cycle accept : result.accepts) out << "accept " << accept << '\n';
  append_accounts(out, result.accounts);
  for (const hw::Counter& counter : result.counters) out << counter.name << ' ' << counter.value << '\n';
  append_regions(out, result.regions);
  for (const std::string& warning : result.warnings) out << warning << '\n';
  return out.str();
}

std::string first_difference(const std::string& expected, const std::string& actual) {
  std::istringstream left(expected), right(actual);
  std::string a, b, before;
  while (true) {
    const bool more_left = static_cast<bool>(std::getline(left, a));
    const bool more_right = static_cast<bool>(std::getline(right, b));
    if (!more_left && !more_right) return "";
    if (!more_left || !more_right || a != b) return "behind '" + before + "': " + (more_left ? a : "nothing") + " | " + (more_right ? b : "nothing");
    before = a;
  }
}

}  // namespace systole::test
