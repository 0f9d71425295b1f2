#pragma once
// Machines with a name: each is another preset, or the default machine, with a few settings changed.
#include <string>
#include <vector>

namespace systole::config {

struct Preset {
  const char* name;
  const char* base;                    // another preset; "" for the default machine
  std::vector<const char*> settings;   // "key=value"
  const char* text;                    // one sentence
};

[[nodiscard]] const std::vector<Preset>& presets();
[[nodiscard]] const Preset* find_preset(const std::string& name);
[[nodiscard]] std::vector<std::string> preset_names();

// The machine that `systole run` simulates when the user names none.
inline constexpr const char* kDefaultPreset = "survey";
// The machine that all parameter defaults describe.
inline constexpr const char* kReferencePreset = "gemmini-2023";

}  // namespace systole::config
