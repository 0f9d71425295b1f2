#pragma once
#include "hw/params/visit.h"

namespace systole::hw {

// The systolic array.
struct ArrayParams {
  int dim = 16;
  int tile = 1;
  int tile_latency = 0;
  int output_delay = 1;
  int output_bits = 20;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v(self.dim, "dim", power_of_two(4, 128), "rows = columns of the array", "GemminiConfigs.scala meshRows * tileRows");
    v(self.tile, "tile", power_of_two(1, 128), "processing elements per tile side; dim / tile tiles per side", "GemminiConfigs.scala tileRows");
    v(self.tile_latency, "tile_latency", range(0, 8), "extra registers between tiles", "GemminiConfigs.scala tile_latency");
    v(self.output_delay, "output_delay", range(0, 8), "registers behind the array", "GemminiConfigs.scala mesh_output_delay");
    v(self.output_bits, "output_bits", range(16, 32), "bits of a partial sum inside the array", "GemminiConfigs.scala spatialArrayOutputType");
  }
};

}  // namespace systole::hw
