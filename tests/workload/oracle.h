#pragma once
// The functional oracle as a machine for lowered programs.
#include "hw/host/host_values.h"
#include "isa/host_operation.h"
#include "isa/model/model.h"
#include "kernels/target.h"
#include "workloads/lower/validate.h"

namespace systole::workloads {

inline isa::Geometry geometry_of(const kernels::Target& target) {
  isa::Geometry g;
  g.dim = target.dim;
  g.scratchpad_kib = static_cast<int>(target.scratchpad_rows) * target.dim / 1024;
  g.accumulator_kib = static_cast<int>(target.accumulator_rows) * target.dim * 4 / 1024;
  g.scratchpad_banks = target.scratchpad_banks;
  g.accumulator_banks = target.accumulator_banks;
  g.max_request_bytes = target.dma_max_bytes;
  g.normaliser = target.normaliser;
  g.revision = target.revision;
  g.extensions = {target.extensions.pre_shift, target.extensions.accumulator_scale, target.extensions.norm_affine,
                  target.extensions.deferred_softmax, target.extensions.wide_variance};
  return g;
}

inline Machine oracle(const kernels::Target& target, isa::Overflows* overflows = nullptr) {
  return [target, overflows](const isa::Program& program, Memory& memory) {
    isa::Model model(geometry_of(target), memory);
    model.run(program, [&memory](const isa::HostOp& host) { hw::compute_host_operation(isa::decode_host_operation(host), memory); });
    if (overflows != nullptr) *overflows = model.overflows();
  };
}

}  // namespace systole::workloads
