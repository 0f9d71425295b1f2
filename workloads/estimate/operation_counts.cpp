#include "workloads/estimate/operation_counts.h"

#include <fmt/format.h>

#include "sim/base/errors.h"

namespace systole::workloads {
namespace {

// FLOPs per element. The survey prints only the class "Other" (tables 3, 10, 11). With d_FFN = 4d in all its models its
// digits fix softmax at 4 and the sum of the others at 58 per element of an l x d matrix; the split of the 58 = 4 x 8 +
// 2 x 12 + 2 x 1 is ours.
constexpr double kSoftmaxFlops = 4;
constexpr double kGeluFlops = 8;
constexpr double kLayerNormFlops = 12;
constexpr double kResidualFlops = 1;

// Element-wise operations of one layer: `scores` elements of softmax, `rows` tokens, and how often the gains and biases
// of LayerNorm are read.
Count other(const TransformerShape& shape, double scores, double rows, double parameter_reads, double residual_bytes) {
  const double d = static_cast<double>(shape.model);
  const double f = static_cast<double>(shape.feed_forward);
  Count count;
  count.flops = kSoftmaxFlops * scores + rows * (kGeluFlops * f + 2 * kLayerNormFlops * d + 2 * kResidualFlops * d);
  // Input and result of softmax, GELU and both LayerNorms, gain and bias of the latter; the residual additions.
  count.bytes = 2 * scores + rows * (2 * f + 2 * 2 * d) + parameter_reads * 2 * 2 * d + rows * residual_bytes * d;
  return count;
}

Count scaled(Count count, double factor) { return {count.flops * factor, count.bytes * factor}; }

TransformerCounts encoder_layer(const TransformerShape& shape, double l, CountingRule rule) {
  const double d = static_cast<double>(shape.model);
  const double f = static_cast<double>(shape.feed_forward);
  const double h = static_cast<double>(shape.heads);
  const double width = d / h;
  TransformerCounts counts;
  counts.projections = {4 * 2 * l * d * d, 4 * (d * d + 2 * l * d)};
  counts.attention = {h * (l * (2 * width - 1) * l + l * (2 * l - 1) * width), h * 2 * (2 * l * width + l * l)};
  counts.feed_forward = {2 * 2 * l * d * f, 2 * (d * f + l * (d + f))};
  counts.other = other(shape, h * l * l, l, 1, rule == CountingRule::kPlain ? 6 : 5);
  return counts;
}

TransformerCounts decoder_layer(const TransformerShape& shape, double l, CountingRule rule) {
  const double d = static_cast<double>(shape.model);
  const double f = static_cast<double>(shape.feed_forward);
  const double h = static_cast<double>(shape.heads);
  const double width = d / h;
  const double keys = l * (l + 1) / 2;  // sum over the tokens of the keys each one sees
  TransformerCounts counts;
  counts.projections = {4 * 2 * l * d * d, 4 * l * (d * d + 2 * d)};
  if (rule == CountingRule::kPlain) {
    counts.attention = {h * ((2 * width - 1) * keys + width * (2 * keys - l)),
                        h * 2 * (keys * (width + 1) + l * width)};
  } else {
    counts.attention = {h * 2 * width * (2 * keys - l), h * ((2 * width + 1) * keys + 3 * width * l)};
  }
  counts.feed_forward = {2 * 2 * l * d * f, 2 * l * (d * f + d + f)};
  counts.other = other(shape, h * keys, l, l, 6);
  return counts;
}

}  // namespace

void check_shape(const TransformerShape& shape, std::uint64_t seq) {
  if (shape.layers == 0 || shape.model == 0 || shape.heads == 0 || shape.feed_forward == 0 || seq == 0)
    throw ConfigError("a Transformer needs at least one layer, column, head and token");
  if (shape.model % shape.heads != 0)
    throw ConfigError(fmt::format("{} heads do not divide a width of {}", shape.heads, shape.model));
}

TransformerCounts count_transformer(const TransformerShape& shape, std::uint64_t seq, CountingRule rule) {
  check_shape(shape, seq);
  const double l = static_cast<double>(seq);
  const TransformerCounts layer = shape.decoder ? decoder_layer(shape, l, rule) : encoder_layer(shape, l, rule);
  const double layers = static_cast<double>(shape.layers);
  return {scaled(layer.projections, layers), scaled(layer.attention, layers), scaled(layer.feed_forward, layers),
          scaled(layer.other, layers)};
}

}  // namespace systole::workloads
