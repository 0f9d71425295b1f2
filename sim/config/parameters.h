#pragma once
// The parameters of a machine as a list: one entry per `visit` line of hw/params. Reading, dumping, comparing and documenting a machine
// are loops over this list.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hw/params/machine.h"

namespace systole::config {

struct Parameter {
  std::string key;                     // "dma.max_in_flight"
  std::string group;                   // "dma"; empty for an ungrouped key
  hw::Range range{0, 0};               // of a number
  std::vector<std::string> choices;    // names of an enumeration's values; empty for a number
  std::string meaning;
  std::string source;
  std::function<std::int64_t()> get;
  std::function<void(std::int64_t)> set;

  // The value as it is written in a file.
  [[nodiscard]] std::string value() const;
  // "8..64, power of two", "0 or 1", "ideal, soc".
  [[nodiscard]] std::string legal() const;
  // Sets the value from text. Returns what is wrong with it, or nothing.
  [[nodiscard]] std::string assign(const std::string& text) const;
};

// The list refers to `machine`, which must outlive it. For a constant machine only reading is allowed.
[[nodiscard]] std::vector<Parameter> parameters(hw::MachineParams& machine);
[[nodiscard]] std::vector<Parameter> parameters(const hw::MachineParams& machine);

// All keys, in the order of declaration.
[[nodiscard]] std::vector<std::string> parameter_keys();

// The key that the user most likely meant: one with the same last word, else the nearest by edit distance.
[[nodiscard]] std::string nearest_key(const std::string& key);

}  // namespace systole::config
