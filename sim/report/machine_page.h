#pragma once
// What the tool knows about machines, for readers.
#include <string>

#include "sim/config/machine_config.h"

namespace systole::report {

// Every parameter: value, default, legal values, meaning and source; then the numbers that follow from them.
[[nodiscard]] std::string machine_text(const config::MachineConfig& machine);
// The same for the reference machine as a Markdown page.
[[nodiscard]] std::string machine_markdown();
// The parameters in which two machines differ.
[[nodiscard]] std::string machine_difference(const config::MachineConfig& a, const std::string& name_a, const config::MachineConfig& b,
                                             const std::string& name_b);
[[nodiscard]] std::string preset_text();

}  // namespace systole::report
