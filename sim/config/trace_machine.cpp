#include "sim/config/trace_machine.h"

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "sim/config/presets.h"

namespace systole::config {
namespace {

Setting memory_latency(const isa::Trace& trace) {
  return {"memory.latency", std::to_string(trace.memory->latency), trace.name + ": mem latency"};
}

}  // namespace

MachineConfig trace_machine(const isa::Trace& trace) {
  std::vector<Setting> settings;
  for (const isa::MachineSetting& setting : trace.machine) {
    settings.push_back({setting.key, setting.value, fmt::format("{}:{}", trace.name, setting.line)});
  }
  if (settings.empty()) settings.push_back({"sfu.normaliser", "0", trace.name + ": no machine line"});
  if (trace.memory && trace.setting("memory.latency") == nullptr) settings.push_back(memory_latency(trace));
  const MachineConfig machine = change_machine(preset_machine(kReferencePreset), settings);
  if (trace.memory && trace.memory->beat_bytes != static_cast<std::uint64_t>(machine.params.dma.bus_bytes)) {
    throw ConfigError(fmt::format("{}: error: mem beat_bytes={} differs from dma.bus_bytes = {} of its machine", trace.name, trace.memory->beat_bytes,
                                  machine.params.dma.bus_bytes));
  }
  return machine;
}

MachineConfig trace_machine(const isa::Trace& trace, const MachineConfig& base) {
  if (!trace.memory) return base;
  return change_machine(base, {memory_latency(trace)});
}

}  // namespace systole::config
