#include "sim/config/geometry.h"

namespace systole::config {

isa::Geometry geometry_of(const hw::MachineParams& params) {
  isa::Geometry geometry;
  geometry.dim = params.array.dim;
  geometry.scratchpad_kib = params.scratchpad.kib;
  geometry.accumulator_kib = params.accumulator.kib;
  geometry.scratchpad_banks = params.scratchpad.banks;
  geometry.accumulator_banks = params.accumulator.banks;
  geometry.max_request_bytes = params.dma.max_bytes;
  geometry.spatial_bits = params.array.output_bits;
  geometry.normaliser = params.sfu.normaliser != 0;
  geometry.stats_ids = params.sfu.stats_ids;
  geometry.revision = params.revision;
  geometry.iexp_as_igelu = params.sfu.iexp_as_igelu != 0;
  geometry.extensions.pre_shift = params.sfu.pre_shift != 0;
  geometry.extensions.mvin_acc_scale = params.sfu.mvin_acc_scale != 0;
  geometry.extensions.layer_norm_affine = params.sfu.layer_norm_affine != 0;
  geometry.extensions.deferred_softmax = params.sfu.deferred_softmax != 0;
  geometry.extensions.wide_variance = params.sfu.wide_variance != 0;
  return geometry;
}

}  // namespace systole::config
