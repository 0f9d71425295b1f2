#pragma once
// All parameters of a machine: the sum of the units' structs, and the rules that involve more than one of them.
#include <string>
#include <vector>

#include "hw/params/array.h"
#include "hw/params/cpu.h"
#include "hw/params/dma.h"
#include "hw/params/frontend.h"
#include "hw/params/local.h"
#include "hw/params/memory.h"
#include "hw/params/sfu.h"

namespace systole::hw {

// The defaults are the reference machine: Gemmini v0.7.2 (2023), 16x16 int8, with the normaliser.
struct MachineParams {
  int revision = 2023;
  ArrayParams array;
  ScratchpadParams scratchpad;
  AccumulatorParams accumulator;
  ReservationParams reservation;
  QueueParams queue;
  DmaParams dma;
  MvinScaleParams mvin_scale;
  SfuParams sfu;
  MemoryParams memory;
  SocParams soc;
  CpuParams host;
  DramTimingParams dram_timing;

  // v.group(name, struct) for each group; v(revision, ...) for the one ungrouped key.
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v(self.revision, "revision", range(2023, 2025), "generation of the RTL: sets the behaviour switches of that year (2023 or 2025)", "Gemmini v0.7.2, commit 8c3f992");
    v.group("array", self.array);
    v.group("scratchpad", self.scratchpad);
    v.group("accumulator", self.accumulator);
    v.group("reservation", self.reservation);
    v.group("queue", self.queue);
    v.group("dma", self.dma);
    v.group("mvin_scale", self.mvin_scale);
    v.group("sfu", self.sfu);
    v.group("memory", self.memory);
    v.group("soc", self.soc);
    v.group("host", self.host);
    v.group("dram_timing", self.dram_timing);
  }
};

// Sets the behaviour switches of a revision (not its geometry).
void apply_revision(MachineParams& machine, int revision);

// Rules that a combination of parameters breaks, each as a sentence that names the keys. Empty: the machine can be built.
[[nodiscard]] std::vector<std::string> broken_rules(const MachineParams& machine);

// The machine itself, if it can be built; else a ConfigError with the rules it breaks.
[[nodiscard]] const MachineParams& buildable(const MachineParams& machine);

}  // namespace systole::hw
