#pragma once
#include "hw/params/visit.h"

namespace systole::hw {

enum class MemoryModel { kIdeal, kSoc };
enum class L2State { kInvalid, kClean, kDirty };

// What stands behind the DMA port.
struct MemoryParams {
  MemoryModel model = MemoryModel::kIdeal;
  int latency = 20;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.choice(self.model, "model", Choices{"ideal", "soc"}, "ideal: fixed latency, one beat a cycle; soc: system bus, L2 and DRAM", "Systole");
    v(self.latency, "latency", range(1, 100000), "ideal: cycles from the last beat of a request to the first beat of its answer", "Systole");
  }
};

// The system on chip around the accelerator: bus, inclusive L2, AXI memory (Chipyard defaults).
struct SocParams {
  int axi_latency = 30;
  int axi_write_latency = 10;
  L2State l2_state = L2State::kClean;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v(self.axi_latency, "axi_latency", range(1, 100000), "cycles from an AXI read address to its first data beat", "Systole");
    v(self.axi_write_latency, "axi_write_latency", range(1, 100000), "cycles from the last AXI write beat to its answer", "Systole");
    v.choice(self.l2_state, "l2_state", Choices{"inv", "clean", "dirty"}, "lines that fill the L2 before the first command", "Systole");
  }
};

}  // namespace systole::hw
