#pragma once
// Included in front of every source file of the mutated copy (scripts/mutate.py): which of its faults is switched on.
#include <cstdlib>

namespace systole {

inline const int kMutant = [] {
  const char* text = std::getenv("SYSTOLE_MUTANT");
  return text == nullptr ? 0 : std::atoi(text);
}();

}  // namespace systole
