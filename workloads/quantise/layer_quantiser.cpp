#include "workloads/quantise/layer_quantiser.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "workloads/quantise/parallel.h"
#include "workloads/quantise/weight_scale.h"

namespace systole::workloads {
namespace {

constexpr double kInt32Range = 2147483648.0;    // 2^31
constexpr double kSafeResidual = 1073741824.0;  // 2^30: leaves the other half of the range to product and bias
constexpr double kMaxProduct = 16384.0;         // |-128 * -128|
constexpr double kLargestInt8 = 127.0;
constexpr double kHeadroom = 1.05;  // of calibrated probabilities

void require(bool holds, const std::string& tensor, const std::string& what) {
  if (!holds) {
    throw ConfigError(fmt::format("cannot quantise '{}': {}", tensor, what));
  }
}

void require_finite(const std::string& tensor, const Matrix<float>& w) {
  require(std::isfinite(reference::largest_magnitude(w.data)), tensor, "a weight is not finite");
}

// fp32 value of a configuration register, where 0 would erase the data and all ones means "keep".
float register_scale(const std::string& tensor, double value) {
  const auto rounded = static_cast<float>(value);
  require(std::isfinite(rounded) && rounded != 0, tensor,
          fmt::format("scale {} is no finite non-zero fp32 number", value));
  return rounded;
}

// Scale of an int8 activation; a tensor that was always 0 stays 0 with any scale.
double scale_of(const std::string& tensor, double largest) {
  require(std::isfinite(largest), tensor, "calibration found a value that is not finite");
  return (largest == 0 ? 1.0 : largest) / kLargestInt8;
}

// RNE(b / scale). `others`: largest magnitude of all else that is added to the same accumulator word.
std::vector<std::int32_t> quantise_bias(const std::string& tensor, const std::vector<double>& bias, double scale,
                                        double others) {
  std::vector<std::int32_t> integers(bias.size());
  for (std::size_t i = 0; i < bias.size(); ++i) {
    const double rounded = std::nearbyint(bias[i] / scale);
    require(std::fabs(rounded) + others < kInt32Range, tensor,
            fmt::format("bias {} is {} units; with the product it does not fit int32", bias[i], rounded));
    integers[i] = static_cast<std::int32_t>(rounded);
  }
  return integers;
}

std::vector<double> widened(const std::vector<float>& values) { return {values.begin(), values.end()}; }

// x * w + b in terms of the normalised x when gamma and beta are applied by the weights: diag(gamma) w, b + beta w.
struct FoldedLinear {
  const Matrix<float>* w = nullptr;
  Matrix<float> own;
  std::vector<double> b;
};

FoldedLinear fold(const Matrix<float>& w, const std::vector<float>& b, const Int8Stream& x) {
  FoldedLinear folded;
  folded.w = &w;
  folded.b = widened(b);
  if (x.gamma.empty()) {
    return folded;
  }
  folded.own = w;
  for (std::size_t r = 0; r < w.rows; ++r) {
    float* row = folded.own.row(r);
    for (std::size_t c = 0; c < w.cols; ++c) {
      folded.b[c] += static_cast<double>(x.beta[r]) * row[c];
      row[c] *= x.gamma[r];
    }
  }
  folded.w = nullptr;
  return folded;
}

const Matrix<float>& weights_of(const FoldedLinear& folded) { return folded.w == nullptr ? folded.own : *folded.w; }

struct QuantisedLinear {
  Matrix<std::int8_t> w;
  std::vector<std::int32_t> b;
  double scale = 0;  // of the accumulator: in scale * weight scale
};

// Columns [first, first + count) of a linear layer whose int32 results are read out on their own.
QuantisedLinear quantise_columns(const std::string& weight_name, const std::string& bias_name,
                                 const FoldedLinear& linear, std::size_t first, std::size_t count, double in_scale) {
  const Matrix<float>& w = weights_of(linear);
  QuantisedLinear quantised;
  require_finite(weight_name, w);
  const double weight_scale = best_weight_scale(w, first, count);
  quantised.w = quantise_weights(w, first, count, weight_scale);
  quantised.scale = in_scale * weight_scale;
  const std::vector<double> bias(linear.b.begin() + static_cast<std::ptrdiff_t>(first),
                                 linear.b.begin() + static_cast<std::ptrdiff_t>(first + count));
  quantised.b = quantise_bias(bias_name, bias, quantised.scale, static_cast<double>(w.rows) * kMaxProduct);
  return quantised;
}

}  // namespace

LayerQuantiser::LayerQuantiser(const ModelConfig& config, const QuantiseOptions& options, bool wide_variance,
                               std::size_t max_keys)
    : config_(config), options_(options), wide_variance_(wide_variance), max_keys_(max_keys) {}

HeadWeights LayerQuantiser::head(const std::string& name, std::size_t layer, std::size_t h,
                                 const FloatAttention& weights, const Int8Stream& queries, const Int8Stream& keys,
                                 const AttentionRanges& ranges, double ctx_scale) const {
  const std::size_t dk = config_.dk();
  const auto columns = [&](const char* which, const FloatLinear& linear, const Int8Stream& x) {
    // Folding a head's columns only: the other heads fold their own.
    FloatLinear part{Matrix<float>(linear.w.rows, dk), {}};
    for (std::size_t r = 0; r < linear.w.rows; ++r) {
      std::copy(linear.w.row(r) + h * dk, linear.w.row(r) + (h + 1) * dk, part.w.row(r));
    }
    part.b.assign(linear.b.begin() + static_cast<std::ptrdiff_t>(h * dk),
                  linear.b.begin() + static_cast<std::ptrdiff_t>((h + 1) * dk));
    return quantise_columns(name + "W" + which, name + "b" + which, fold(part.w, part.b, x), 0, dk, x.scale);
  };
  QuantisedLinear q = columns("q", weights.q, queries);
  QuantisedLinear k = columns("k", weights.k, keys);
  QuantisedLinear v = columns("v", weights.v, keys);
  HeadWeights head;
  head.sq = scale_of(name + "q", ranges.q[h]);
  head.sk = scale_of(name + "k", ranges.k[h]);
  head.sv = scale_of(name + "v", ranges.v[h]);
  head.aq = register_scale(name + "aq", q.scale / head.sq);
  head.ak = register_scale(name + "ak", k.scale / head.sk);
  head.av = register_scale(name + "av", v.scale / head.sv);
  head.wq = std::move(q.w);
  head.wk = std::move(k.w);
  head.wv = std::move(v.w);
  head.bq = std::move(q.b);
  head.bk = std::move(k.b);
  head.bv = std::move(v.b);

  const double raw = head.sq * head.sk * config_.score_factor(layer);
  const double smallest = smallest_exp_scale(max_keys_);
  head.pre_shift = pre_shift_for(raw, smallest);
  head.score_scale = std::ldexp(raw, head.pre_shift);
  head.exp = exp_constants(head.score_scale);
  require(head.score_scale >= smallest, name + "sh",
          fmt::format("{} exponentials of scale {} do not fit int32", max_keys_, head.score_scale));
  require(head.exp.qln2 >= 64 && head.exp.qln2 <= 8192, name + "c",
          fmt::format("scores of scale {} give qln2 = {}, outside 64..8192", head.score_scale, head.exp.qln2));
  (void)mask_magnitude(dk, head);  // throws if a mask has no room

  const double peak = static_cast<double>(head.exp.qb) * head.exp.qb + head.exp.qc;  // exponential of 0
  switch (options_.probability_form) {
    case ProbabilityForm::Deferred:
      head.probability_scale = register_scale(name + "ae", kLargestInt8 / peak);
      head.context_scale = register_scale(name + "ac", peak * head.sv / (kLargestInt8 * kLargestInt8 * ctx_scale));
      head.p_scale = std::min(1.0, kHeadroom * ranges.p[h]) / kLargestInt8;
      break;
    case ProbabilityForm::Calibrated:
    case ProbabilityForm::Fixed127:
      head.p_scale =
          (options_.probability_form == ProbabilityForm::Fixed127 ? 1.0 : std::min(1.0, kHeadroom * ranges.p[h])) /
          kLargestInt8;
      head.probability_scale = register_scale(name + "ap", 1.0 / (kLargestInt8 * head.p_scale));
      head.context_scale = register_scale(name + "ac", head.p_scale * head.sv / ctx_scale);
      break;
  }
  return head;
}

AttentionWeights LayerQuantiser::heads(const std::string& name, std::size_t layer, const FloatAttention& weights,
                                       const Int8Stream& queries, const Int8Stream& keys,
                                       const AttentionRanges& ranges) const {
  AttentionWeights attention;
  attention.ctx_scale = scale_of(name + ".ctx", ranges.ctx);
  attention.heads.resize(config_.heads);
  parallel_for(options_.threads, config_.heads, [&](std::size_t h) {
    attention.heads[h] =
        head(fmt::format("{}.{}.", name, h), layer, h, weights, queries, keys, ranges, attention.ctx_scale);
  });
  return attention;
}

LayerQuantiser::Projection LayerQuantiser::projection(const std::string& weight_name, const std::string& residual_name,
                                                      double in_scale, const FloatLinear& linear,
                                                      const ResidualInput& residual) const {
  Projection result;
  require_finite(weight_name, linear.w);
  const double weight_scale = best_weight_scale(linear.w, 0, linear.w.cols);
  result.w = quantise_weights(linear.w, 0, linear.w.cols, weight_scale);
  result.out_scale = in_scale * weight_scale;
  std::vector<double> bias = widened(linear.b);
  double largest_residual = 0;
  if (residual.int8 == nullptr) {
    result.residual.scale = register_scale(residual_name, residual.int32_scale / result.out_scale);
    largest_residual = residual.int32_range / result.out_scale;
  } else if (residual.int8->gamma.empty()) {
    result.residual.scale = register_scale(residual_name, residual.int8->scale / result.out_scale);
    largest_residual = 128 * std::fabs(static_cast<double>(result.residual.scale));
  } else {
    // The residual is n * gamma + beta: gamma goes into a diagonal of integers, beta into the bias.
    for (std::size_t j = 0; j < bias.size(); ++j) {
      const double factor = std::nearbyint(residual.int8->gamma[j] * residual.int8->scale / result.out_scale);
      largest_residual = std::max(largest_residual, 128 * std::fabs(factor));
      require(largest_residual < kSafeResidual, residual_name, fmt::format("factor {} is too large", factor));
      result.residual.diagonal.push_back(static_cast<std::int32_t>(factor));
      bias[j] += residual.int8->beta[j];
    }
  }
  require(largest_residual < kSafeResidual, residual_name,
          fmt::format("the residual is up to {} units, at most {} fit", largest_residual, kSafeResidual));
  result.b = quantise_bias(weight_name, bias, result.out_scale,
                           largest_residual + static_cast<double>(linear.w.rows) * kMaxProduct);
  return result;
}

void LayerQuantiser::project(AttentionWeights& attention, const std::string& prefix, const char* suffix,
                             const FloatLinear& linear, const ResidualInput& residual) const {
  Projection out = projection(prefix + "W" + suffix, prefix + "r" + suffix, attention.ctx_scale, linear, residual);
  attention.wo = std::move(out.w);
  attention.bo = std::move(out.b);
  attention.residual = std::move(out.residual);
  attention.out_scale = out.out_scale;
}

ActivationConstants LayerQuantiser::activation(const std::string& name, double in_scale,
                                               double before, double after) const {
  ActivationConstants constants;
  constants.in_scale = in_scale;
  constants.out_scale = scale_of(name, after);
  if (config_.activation == FloatActivation::Relu) {
    constants.scale = register_scale(name + ".a", in_scale / constants.out_scale);
    return constants;
  }
  constexpr int kMaxPreShift = 31;
  const double largest = options_.margin * before;
  const auto fits = [&](int shift) {
    const double scale = std::ldexp(in_scale, shift);
    const double qc = 2 / (std::fabs(options_.gelu.a) * scale * scale);
    return qc < kInt32Range && gelu_fits(scale, largest, options_.gelu);
  };
  while (!fits(constants.pre_shift)) {
    ++constants.pre_shift;
    require(
        constants.pre_shift <= kMaxPreShift, name + ".c",
        fmt::format("pre-activations up to {} of scale {} need a pre-shift above {}", largest, in_scale, kMaxPreShift));
  }
  const GeluConstants gelu = gelu_constants(std::ldexp(in_scale, constants.pre_shift), options_.gelu);
  constants.qb = gelu.qb;
  constants.qc = gelu.qc;
  constants.scale = register_scale(name + ".a", gelu.out_scale / constants.out_scale);
  return constants;
}

void LayerQuantiser::first_half(LayerWeights& layer, const std::string& prefix, const FloatLinear& up,
                                const Int8Stream& x, const LayerRanges& ranges) const {
  QuantisedLinear w1 = quantise_columns(prefix + "W1", prefix + "b1", fold(up.w, up.b, x), 0, up.w.cols, x.scale);
  layer.activation =
      activation(prefix + "ge", w1.scale, ranges.before_activation, ranges.activation);
  layer.w1 = std::move(w1.w);
  layer.b1 = std::move(w1.b);
}

void LayerQuantiser::second_half(LayerWeights& layer, const std::string& prefix, const FloatLinear& down,
                                 const ResidualInput& residual) const {
  Projection w2 = projection(prefix + "W2", prefix + "r2", layer.activation.out_scale, down, residual);
  layer.w2 = std::move(w2.w);
  layer.b2 = std::move(w2.b);
  layer.ffn_residual = std::move(w2.residual);
  layer.out_scale = w2.out_scale;
}

NormConstants LayerQuantiser::norm(const std::string& name, const FloatNorm& norm, double in_scale,
                                   const NormRange& range, Int8Stream& out) const {
  NormConstants constants;
  if (!wide_variance_) {
    const double smallest = smallest_norm_scale(config_.d, options_.margin * range.deviation);
    constants.pre_shift = pre_shift_for(in_scale, smallest);
    require(std::ldexp(in_scale, constants.pre_shift) >= smallest, name + ".sh",
            fmt::format("rows of standard deviation {} and scale {} overflow the variance", range.deviation, in_scale));
  }
  out.scale = scale_of(name, range.output);
  constants.scale = register_scale(name + ".a", 1 / out.scale);
  if (options_.norm_form == NormForm::Fold) {
    out.gamma = norm.gamma;
    out.beta = norm.beta;
    constants.gamma.assign(config_.d, 1.0F);
    constants.beta.assign(config_.d, 0.0F);
    return constants;
  }
  constants.gamma = norm.gamma;
  for (const float beta : norm.beta) {
    constants.beta.push_back(static_cast<float>(beta / out.scale));
  }
  for (std::size_t j = 0; j < config_.d; ++j) {
    require(std::isfinite(constants.gamma[j]) && std::isfinite(constants.beta[j]), name, "gamma or beta is not finite");
  }
  return constants;
}

LayerWeights LayerQuantiser::post_norm(std::size_t index, const FloatLayer& weights, const LayerRanges& ranges,
                                       Int8Stream& x, const Int8Stream* encoded) const {
  const std::string prefix = fmt::format("q.{}.", index);
  LayerWeights layer;
  layer.attention = heads(prefix + "at", index, weights.attention, x, x, ranges.attention);
  project(layer.attention, prefix, "o", weights.attention.o, {&x, 0, 0});
  Int8Stream y;
  layer.norm1 = norm(prefix + "n1", weights.norm1, layer.attention.out_scale, ranges.norm1, y);
  if (encoded != nullptr) {
    SYSTOLE_CHECK(weights.cross.has_value());
    AttentionWeights cross = heads(prefix + "xa", index, *weights.cross, y, *encoded, ranges.cross);
    project(cross, prefix, "x", weights.cross->o, {&y, 0, 0});
    Int8Stream z;
    layer.norm_cross = norm(prefix + "nx", weights.norm_cross, cross.out_scale, ranges.norm_cross, z);
    layer.cross = std::move(cross);
    y = std::move(z);
  }
  first_half(layer, prefix, weights.up, y, ranges);
  second_half(layer, prefix, weights.down, {&y, 0, 0});
  layer.norm2 = norm(prefix + "n2", weights.norm2, layer.out_scale, ranges.norm2, x);
  return layer;
}

LayerWeights LayerQuantiser::pre_norm(std::size_t index, const FloatLayer& weights, const LayerRanges& ranges,
                                      double& h_scale, double h_range) const {
  const std::string prefix = fmt::format("q.{}.", index);
  LayerWeights layer;
  Int8Stream y;
  layer.norm1 = norm(prefix + "n1", weights.norm1, h_scale, ranges.norm1, y);
  layer.attention = heads(prefix + "at", index, weights.attention, y, y, ranges.attention);
  project(layer.attention, prefix, "o", weights.attention.o, {nullptr, h_scale, h_range});
  const double mid_scale = layer.attention.out_scale;
  require(ranges.attention.sum / mid_scale < kSafeResidual, prefix + "Wo", "the residual stream does not fit int32");
  Int8Stream z;
  layer.norm2 = norm(prefix + "n2", weights.norm2, mid_scale, ranges.norm2, z);
  first_half(layer, prefix, weights.up, z, ranges);
  second_half(layer, prefix, weights.down, {nullptr, mid_scale, ranges.attention.sum});
  h_scale = layer.out_scale;
  require(ranges.ffn_sum / h_scale < kSafeResidual, prefix + "W2", "the residual stream does not fit int32");
  return layer;
}

LanguageHead LayerQuantiser::language_head(const FloatLanguageHead& head, const HeadRanges& ranges, Int8Stream x) const {
  LanguageHead result;
  if (head.transform) {
    HeadTransform transform;
    QuantisedLinear dense = quantise_columns("mlm.W", "mlm.b", fold(head.transform->dense.w, head.transform->dense.b, x), 0,
                                             head.transform->dense.w.cols, x.scale);
    transform.activation =
        activation("mlm.ge", dense.scale, ranges.before_activation, ranges.activation);
    transform.w = std::move(dense.w);
    transform.b = std::move(dense.b);
    // The largest power of two with which no row of int8 values can overflow the sum of squares.
    while (static_cast<double>(config_.d) * std::pow(2 * transform.spread * kLargestInt8, 2) < kInt32Range) {
      transform.spread *= 2;
    }
    transform.norm =
        norm("mlm.n", head.transform->norm, transform.activation.out_scale / transform.spread, ranges.norm, x);
    result.transform = std::move(transform);
  }
  const std::vector<float> bias = head.b.empty() ? std::vector<float>(head.w.cols) : head.b;
  QuantisedLinear linear = quantise_columns("lm.W", "lm.b", fold(head.w, bias, x), 0, head.w.cols, x.scale);
  result.w = std::move(linear.w);
  if (!x.gamma.empty() || !head.b.empty()) {
    result.b = std::move(linear.b);
  }
  result.w_scale = linear.scale / x.scale;
  result.x_scale = x.scale;
  return result;
}

}  // namespace systole::workloads
