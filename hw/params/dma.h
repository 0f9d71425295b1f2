#pragma once
#include "hw/params/visit.h"

namespace systole::hw {

struct DmaParams {
  int max_in_flight = 16;
  int bus_bytes = 16;
  int max_bytes = 64;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v(self.max_in_flight, "max_in_flight", range(1, 256), "memory requests in flight, reads and writes each", "GemminiConfigs.scala max_in_flight_mem_reqs");
    v(self.bus_bytes, "bus_bytes", power_of_two(8, 64), "bytes of one beat of the memory port", "GemminiConfigs.scala dma_buswidth");
    v(self.max_bytes, "max_bytes", power_of_two(16, 128), "bytes of the largest request", "GemminiConfigs.scala dma_maxbytes");
  }
};

// Scaling of rows on their way from memory to the scratchpad.
struct MvinScaleParams {
  int latency = 4;
  int units = 4;
  int input_queue = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v(self.latency, "latency", range(0, 64), "stages of one scaling unit", "GemminiConfigs.scala mvin_scale_args.latency");
    v(self.units, "units", range(0, 128), "scaling units; 0: one per lane", "GemminiConfigs.scala mvin_scale_args.num_scale_units");
    v(self.input_queue, "input_queue", flag(), "1: a two-entry queue in front of the scaler (revision 2025)", "VectorScalarMultiplier.scala, commit 08cfde9");
  }
};

}  // namespace systole::hw
