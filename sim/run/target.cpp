#include "sim/run/target.h"

#include "hw/params/derived.h"

namespace systole::run {

kernels::Target target_of(const hw::MachineParams& params) {
  kernels::Target target;
  target.dim = params.array.dim;
  target.scratchpad_rows = static_cast<std::uint32_t>(hw::scratchpad_rows(params));
  target.scratchpad_banks = params.scratchpad.banks;
  target.accumulator_rows = static_cast<std::uint32_t>(hw::accumulator_rows(params));
  target.accumulator_banks = params.accumulator.banks;
  target.dma_max_bytes = params.dma.max_bytes;
  target.normaliser = params.sfu.normaliser != 0;
  target.extensions.integer_exp = params.sfu.iexp_as_igelu == 0;
  target.extensions.pre_shift = params.sfu.pre_shift != 0;
  target.extensions.accumulator_scale = params.sfu.mvin_acc_scale != 0;
  target.extensions.norm_affine = params.sfu.layer_norm_affine != 0;
  target.extensions.deferred_softmax = params.sfu.deferred_softmax != 0;
  target.extensions.wide_variance = params.sfu.wide_variance != 0;
  target.revision = params.revision;
  return target;
}

}  // namespace systole::run
