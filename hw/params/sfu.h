#pragma once
#include "hw/params/visit.h"

namespace systole::hw {

// The special-function unit: I-BERT GELU, softmax and LayerNorm beside the accumulator (Normalizer.scala, AccumulatorScale.scala).
struct SfuParams {
  int normaliser = 1;
  int stats_ids = 2;
  int lanes = 0;
  int lane_latency = 4;
  int divider_latency = 18;
  int sqrt_latency = 17;
  int reciprocal_latency = 14;
  int multiplier_latency = 2;
  int iexp_as_igelu = 0;
  int pre_shift = 0;
  int mvin_acc_scale = 0;
  int layer_norm_affine = 0;
  int deferred_softmax = 0;
  int wide_variance = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v(self.normaliser, "normaliser", flag(), "1: softmax, LayerNorm and GELU on the machine", "GemminiConfigs.scala has_normalizations");
    v(self.stats_ids, "stats_ids", range(1, 16), "rows whose statistics can be collected at a time", "Scratchpad.scala Normalizer num_stats");
    v(self.lanes, "lanes", power_of_two_or_zero(1, 128), "elements that enter a reduction tree at a time; 0: all of a row", "Scratchpad.scala Normalizer num_reduce_lanes");
    v(self.lane_latency, "lane_latency", range(1, 32), "stages of the reduction tree", "Scratchpad.scala Normalizer latency");
    v(self.divider_latency, "divider_latency", range(2, 64), "cycles of the integer divider", "hardfloat DivSqrtRecFN_small, 32-bit significand");
    v(self.sqrt_latency, "sqrt_latency", range(2, 64), "cycles of the integer square root", "Normalizer.scala IntSqrt");
    v(self.reciprocal_latency, "reciprocal_latency", range(2, 64), "cycles of the fp32 reciprocal", "hardfloat DivSqrtRecFN_small, 24-bit significand");
    v(self.multiplier_latency, "multiplier_latency", range(1, 32), "stages of the fp32 multipliers", "Normalizer.scala");
    v(self.iexp_as_igelu, "iexp_as_igelu", flag(), "1: the exponential is computed as GELU, an error of revision 2025", "AccumulatorScale.scala, commit 2916cde");
    v(self.pre_shift, "pre_shift", flag(), "extension E1: rounding right shift in front of the activation functions", "Systole");
    v(self.mvin_acc_scale, "mvin_acc_scale", flag(), "extension E2: fp32 scale on loads into the accumulator", "Systole; 4-byte part: GemminiConfigs.scala mvin_scale_acc_args");
    v(self.layer_norm_affine, "layer_norm_affine", flag(), "extension E3: LayerNorm with gain and bias per column", "Systole");
    v(self.deferred_softmax, "deferred_softmax", flag(), "extension E4: unnormalised exponentials, row scale applied at the context", "Systole");
    v(self.wide_variance, "wide_variance", flag(), "extension E5: 64-bit sums in LayerNorm", "Systole");
  }
};

}  // namespace systole::hw
