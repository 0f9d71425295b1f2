#pragma once
// What a run leaves, as text: a line per number, so that two runs can be compared and the first difference can be shown.
#include <ostream>
#include <string>
#include <vector>

#include "hw/top/machine_result.h"

namespace systole::test {

void append_accounts(std::ostream& out, const std::vector<hw::UnitAccount>& accounts);
void append_regions(std::ostream& out, const std::vector<hw::RegionCycles>& regions);
[[nodiscard]] std::string run_text(const hw::MachineResult& result);

// The first line of `actual` that is not in its place, beside what should be there, and the line before; empty: equal.
[[nodiscard]] std::string first_difference(const std::string& expected, const std::string& actual);

}  // namespace systole::test
