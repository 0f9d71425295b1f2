#pragma once
// The workloads that have a name, for readers.
#include <string>

namespace systole::report {

[[nodiscard]] std::string workloads_text();

}  // namespace systole::report
