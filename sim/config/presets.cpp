#include "sim/config/presets.h"

namespace systole::config {

// Splits of the on-chip memory: section 3.4.3 and figure 13 of "Full Stack Optimization of Transformer Inference: a Survey" (arXiv 2302.14017).
const std::vector<Preset>& presets() {
  static const std::vector<Preset> table = {
      {"gemmini-2023", "", {}, "reference machine: Gemmini v0.7.2, 16x16 int8, 256 KiB scratchpad, 64 KiB accumulator, with normaliser"},
      {"gemmini-2025", "gemmini-2023", {"revision=2025"}, "the same geometry with the behaviour of the sources of September 2025"},
      {"survey-baseline", "gemmini-2023", {"sfu.normaliser=0"}, "the survey's starting point: no normaliser, non-linear operations on the CPU"},
      {"survey",
       "gemmini-2023",
       {"sfu.pre_shift=1", "sfu.mvin_acc_scale=1", "sfu.layer_norm_affine=1", "sfu.deferred_softmax=1", "sfu.wide_variance=1"},
       "reference machine with the extensions that keep a Transformer's accuracy (E1-E5); default of `systole run`"},
      {"survey-64-64", "survey", {"scratchpad.kib=64", "accumulator.kib=64"}, "survey with 64 KiB scratchpad, 64 KiB accumulator"},
      {"survey-64-128", "survey", {"scratchpad.kib=64", "accumulator.kib=128"}, "survey with 64 KiB scratchpad, 128 KiB accumulator"},
      {"survey-64-256", "survey", {"scratchpad.kib=64", "accumulator.kib=256"}, "the survey's re-balanced memories: 64 KiB scratchpad, 256 KiB accumulator"},
      {"survey-128-64", "survey", {"scratchpad.kib=128", "accumulator.kib=64"}, "survey with 128 KiB scratchpad, 64 KiB accumulator"},
      {"survey-128-128", "survey", {"scratchpad.kib=128", "accumulator.kib=128"}, "survey with 128 KiB scratchpad, 128 KiB accumulator"},
      {"survey-128-256", "survey", {"scratchpad.kib=128", "accumulator.kib=256"}, "survey with 128 KiB scratchpad, 256 KiB accumulator"},
      {"survey-256-128", "survey", {"scratchpad.kib=256", "accumulator.kib=128"}, "survey with 256 KiB scratchpad, 128 KiB accumulator"},
      {"survey-256-256", "survey", {"scratchpad.kib=256", "accumulator.kib=256"}, "survey with 256 KiB scratchpad, 256 KiB accumulator"},
  };
  return table;
}

const Preset* find_preset(const std::string& name) {
  for (const Preset& preset : presets()) {
    if (name == preset.name) return &preset;
  }
  return nullptr;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) names.emplace_back(preset.name);
  return names;
}

}  // namespace systole::config
