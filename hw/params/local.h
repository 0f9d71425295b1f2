#pragma once
#include "hw/params/visit.h"

namespace systole::hw {

// Scratchpad: rows of `array.dim` bytes.
struct ScratchpadParams {
  int kib = 256;
  int banks = 4;
  int ports = 1;
  int read_delay = 4;
  int response_queue = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v(self.kib, "kib", range(1, 65536), "capacity in KiB", "GemminiConfigs.scala sp_capacity");
    v(self.banks, "banks", power_of_two(1, 32), "banks; each has one read and one write per cycle", "GemminiConfigs.scala sp_banks");
    v(self.ports, "ports", range(1, 2), "1: a write in a cycle kills a read of the same bank", "GemminiConfigs.scala sp_singleported");
    v(self.read_delay, "read_delay", range(2, 64), "stages of the read response path; also depth of the queues beside it", "GemminiConfigs.scala spad_read_delay");
    v(self.response_queue, "response_queue", flag(), "1: the response path is a queue of read_delay entries (revision 2025), 0: a pipeline of read_delay stages", "Scratchpad.scala, commit dffcfd1");
  }
};

// Accumulator: rows of `array.dim` 32-bit words, with its adders and the scaling unit behind it.
struct AccumulatorParams {
  int kib = 64;
  int banks = 2;
  int ports = 2;
  int sub_banks = 0;
  int latency = 2;
  int scale_latency = 8;
  int scale_units = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v(self.kib, "kib", range(1, 65536), "capacity in KiB", "GemminiConfigs.scala acc_capacity");
    v(self.banks, "banks", power_of_two(1, 16), "banks", "GemminiConfigs.scala acc_banks");
    v(self.ports, "ports", range(1, 2), "1: single-ported banks split into sub_banks", "GemminiConfigs.scala acc_singleported");
    v(self.sub_banks, "sub_banks", power_of_two_or_zero(1, 4), "sub-banks of a single-ported bank; 0: none", "GemminiConfigs.scala acc_sub_banks");
    v(self.latency, "latency", range(2, 16), "cycles from a write to the memory update", "GemminiConfigs.scala acc_latency");
    v(self.scale_latency, "scale_latency", range(1, 64), "stages of the scaling pipeline", "GemminiConfigs.scala acc_scale_args.latency");
    v(self.scale_units, "scale_units", range(0, 128), "scaling units; 0: a whole row at once", "GemminiConfigs.scala acc_scale_args.num_scale_units");
  }
};

}  // namespace systole::hw
