#include "workloads/quantise/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace systole::workloads {
namespace {

void merge(double& range, double other) { range = std::max(range, other); }

void merge(std::vector<double>& ranges, const std::vector<double>& others) {
  ranges.resize(std::max(ranges.size(), others.size()));
  for (std::size_t i = 0; i < others.size(); ++i) {
    merge(ranges[i], others[i]);
  }
}

void merge(NormRange& range, const NormRange& other) {
  merge(range.deviation, other.deviation);
  merge(range.output, other.output);
}

void merge(AttentionRanges& ranges, const AttentionRanges& other) {
  merge(ranges.q, other.q);
  merge(ranges.k, other.k);
  merge(ranges.v, other.v);
  merge(ranges.p, other.p);
  merge(ranges.ctx, other.ctx);
  merge(ranges.sum, other.sum);
}

std::vector<double> by_head(const Matrix<float>& x, std::size_t heads) {
  const std::size_t dk = x.cols / heads;
  std::vector<double> largest(heads);
  for (std::size_t r = 0; r < x.rows; ++r) {
    for (std::size_t c = 0; c < x.cols; ++c) {
      const double value = x.at(r, c);
      merge(largest[c / dk], std::isfinite(value) ? std::fabs(value) : std::numeric_limits<double>::infinity());
    }
  }
  return largest;
}

AttentionRanges ranges_of(const reference::AttentionTrace& trace, const Matrix<float>& sum, std::size_t heads) {
  AttentionRanges ranges;
  ranges.q = by_head(trace.q, heads);
  ranges.k = by_head(trace.k, heads);
  ranges.v = by_head(trace.v, heads);
  ranges.p = trace.largest_p;
  ranges.ctx = reference::largest_magnitude(trace.ctx.data);
  ranges.sum = reference::largest_magnitude(sum.data);
  return ranges;
}

}  // namespace

void LayerRanges::merge(const LayerRanges& other) {
  workloads::merge(attention, other.attention);
  workloads::merge(cross, other.cross);
  workloads::merge(norm1, other.norm1);
  workloads::merge(norm_cross, other.norm_cross);
  workloads::merge(norm2, other.norm2);
  workloads::merge(before_activation, other.before_activation);
  workloads::merge(activation, other.activation);
  workloads::merge(ffn_sum, other.ffn_sum);
}

NormRange norm_range(const Matrix<float>& input, const Matrix<float>& affine_output, NormForm form, double epsilon) {
  NormRange range;
  for (const double deviation : reference::row_deviations(input)) {
    range.deviation = std::max(range.deviation, deviation);
  }
  switch (form) {
    case NormForm::Affine:
      range.output = reference::largest_magnitude(affine_output.data);
      break;
    case NormForm::Fold:
      range.output = reference::largest_magnitude(reference::float_norm(input, nullptr, epsilon).data);
      break;
  }
  return range;
}

void merge_head_ranges(const ModelConfig& config, const FloatLanguageHead::Transform& transform, const Matrix<float>& x,
                       NormForm form, HeadRanges& ranges) {
  const reference::HeadTrace trace = reference::float_head_transform(config, transform, x);
  merge(ranges.before_activation, reference::largest_magnitude(trace.before_activation.data));
  merge(ranges.activation, reference::largest_magnitude(trace.activation.data));
  merge(ranges.norm, norm_range(trace.activation, trace.norm, form, config.norm_epsilon));
}

LayerRanges ranges_of(const ModelConfig& config, const Matrix<float>& x, const reference::LayerTrace& trace,
                      NormForm form) {
  const bool pre_norm = config.architecture == Architecture::Gpt2;
  const double epsilon = config.norm_epsilon;
  LayerRanges ranges;
  ranges.attention = ranges_of(trace.attention, trace.attention_sum, config.heads);
  ranges.norm1 = norm_range(pre_norm ? x : trace.attention_sum, trace.norm1, form, epsilon);
  if (!trace.cross_sum.empty()) {
    ranges.cross = ranges_of(trace.cross, trace.cross_sum, config.heads);
    ranges.norm_cross = norm_range(trace.cross_sum, trace.norm_cross, form, epsilon);
  }
  ranges.norm2 = norm_range(pre_norm ? trace.attention_sum : trace.ffn_sum, trace.norm2, form, epsilon);
  ranges.before_activation = reference::largest_magnitude(trace.before_activation.data);
  ranges.activation = reference::largest_magnitude(trace.activation.data);
  ranges.ffn_sum = reference::largest_magnitude(trace.ffn_sum.data);
  return ranges;
}

}  // namespace systole::workloads
