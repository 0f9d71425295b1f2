#include "workloads/reference/float_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "workloads/reference/float_gemm.h"
#include "workloads/weights/elementary.h"

namespace systole::workloads::reference {
namespace {

// Sums are kept in this many independent partial sums, so that a vector unit of any width computes the same bits.
constexpr std::size_t kLanes = 8;

template <typename Term>
double sum_in_lanes(std::size_t count, Term term) {
  double lanes[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += term(i + lane);
    }
  }
  for (std::size_t lane = 0; i < count; ++i, ++lane) {
    lanes[lane] += term(i);
  }
  double sum = 0;
  for (const double lane : lanes) {
    sum += lane;
  }
  return sum;
}

struct RowMoments {
  double mean = 0;
  double variance = 0;
};

RowMoments moments(const float* x, std::size_t count) {
  const auto n = static_cast<double>(count);
  const double mean = sum_in_lanes(count, [x](std::size_t i) { return static_cast<double>(x[i]); }) / n;
  const double variance = sum_in_lanes(count,
                                       [x, mean](std::size_t i) {
                                         const double difference = x[i] - mean;
                                         return difference * difference;
                                       }) /
                          n;
  return {mean, variance};
}

// exp(x - max) / sum over the first `visible`; the rest is masked.
void softmax_row(float* x, std::size_t count, std::size_t visible) {
  float largest = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < visible; ++i) {
    largest = std::max(largest, x[i]);
  }
  for (std::size_t i = 0; i < visible; ++i) {
    x[i] = portable_exp(x[i] - largest);
  }
  const auto inverse =
      static_cast<float>(1.0 / sum_in_lanes(visible, [x](std::size_t i) { return static_cast<double>(x[i]); }));
  for (std::size_t i = 0; i < visible; ++i) {
    x[i] *= inverse;
  }
  std::fill(x + visible, x + count, 0.0F);
}

struct FloatMask {
  std::size_t valid = 0;
  bool causal = false;
};

// The context of all heads from x (queries) and y (keys, values).
AttentionTrace attend(const ModelConfig& config, const FloatAttention& weights, const Matrix<float>& x,
                      const Matrix<float>& y, const FloatMask& mask, const LayerSurroundings& around) {
  const std::size_t d = config.d;
  const std::size_t dk = config.dk();
  AttentionTrace trace;
  trace.q = float_linear(x, weights.q);
  trace.k = float_linear(y, weights.k);
  trace.v = float_linear(y, weights.v);
  trace.ctx = Matrix<float>(x.rows, d);
  const auto factor = static_cast<float>(config.score_factor(around.index));
  Matrix<float> p(x.rows, y.rows);
  for (std::size_t h = 0; h < config.heads; ++h) {
    float_gemm({trace.q.data.data() + h * dk, d}, {trace.k.data.data() + h * dk, d}, Right::Transposed, nullptr,
               p.data.data(), y.rows, x.rows, dk, y.rows);
    for (float& score : p.data) {
      score *= factor;
    }
    for (std::size_t r = 0; r < x.rows; ++r) {
      softmax_row(p.row(r), y.rows, mask.causal ? r + 1 : mask.valid);
    }
    float_gemm({p.data.data(), y.rows}, {trace.v.data.data() + h * dk, d}, Right::Plain, nullptr,
               trace.ctx.data.data() + h * dk, d, x.rows, y.rows, dk);
    trace.largest_p.push_back(largest_magnitude(p.data));
  }
  return trace;
}

void activate(FloatActivation activation, std::vector<float>& x) {
  constexpr float kSqrtHalf = 0.70710678F;
  constexpr float kTanhScale = 2.0F * 0.79788456F;  // 2 * sqrt(2/pi): tanh(u) = 1 - 2/(exp(2u) + 1)
  constexpr float kCubic = 0.044715F;
  switch (activation) {
    case FloatActivation::GeluErf:
      for (float& v : x) {
        v = v * 0.5F * (1.0F + portable_erf(v * kSqrtHalf));
      }
      return;
    case FloatActivation::GeluTanh:
      for (float& v : x) {
        v = v / (1.0F + portable_exp(-kTanhScale * (v + kCubic * v * v * v)));
      }
      return;
    case FloatActivation::Relu:
      for (float& v : x) {
        v = v > 0 ? v : 0.0F;
      }
      return;
  }
}

Matrix<float> sum_of(Matrix<float> a, const Matrix<float>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    a.data[i] += b.data[i];
  }
  return a;
}

void feed_forward(const ModelConfig& config, const FloatLayer& weights, const Matrix<float>& x,
                  const Matrix<float>& residual, LayerTrace& trace) {
  trace.before_activation = float_linear(x, weights.up);
  trace.activation = trace.before_activation;
  activate(config.activation, trace.activation.data);
  trace.ffn_sum = sum_of(float_linear(trace.activation, weights.down), residual);
}

LayerTrace pre_norm_layer(const ModelConfig& config, const FloatLayer& weights, const Matrix<float>& h,
                          const LayerSurroundings& around) {
  LayerTrace trace;
  trace.norm1 = float_norm(h, &weights.norm1, config.norm_epsilon);
  trace.attention = attend(config, weights.attention, trace.norm1, trace.norm1, {h.rows, true}, around);
  trace.attention_sum = sum_of(float_linear(trace.attention.ctx, weights.attention.o), h);
  trace.norm2 = float_norm(trace.attention_sum, &weights.norm2, config.norm_epsilon);
  feed_forward(config, weights, trace.norm2, trace.attention_sum, trace);
  return trace;
}

LayerTrace post_norm_layer(const ModelConfig& config, const FloatLayer& weights, const Matrix<float>& x,
                           const LayerSurroundings& around) {
  const bool decodes = around.encoded != nullptr;
  LayerTrace trace;
  trace.attention = attend(config, weights.attention, x, x, {decodes ? x.rows : around.valid_keys, decodes}, around);
  trace.attention_sum = sum_of(float_linear(trace.attention.ctx, weights.attention.o), x);
  trace.norm1 = float_norm(trace.attention_sum, &weights.norm1, config.norm_epsilon);
  const Matrix<float>* input = &trace.norm1;
  if (decodes) {
    SYSTOLE_CHECK(weights.cross.has_value());
    trace.cross = attend(config, *weights.cross, trace.norm1, *around.encoded, {around.valid_keys, false}, around);
    trace.cross_sum = sum_of(float_linear(trace.cross.ctx, weights.cross->o), trace.norm1);
    trace.norm_cross = float_norm(trace.cross_sum, &weights.norm_cross, config.norm_epsilon);
    input = &trace.norm_cross;
  }
  feed_forward(config, weights, *input, *input, trace);
  trace.norm2 = float_norm(trace.ffn_sum, &weights.norm2, config.norm_epsilon);
  return trace;
}

}  // namespace

LayerTrace float_layer(const ModelConfig& config, const FloatLayer& weights, const Matrix<float>& x,
                       const LayerSurroundings& around) {
  return config.architecture == Architecture::Gpt2 ? pre_norm_layer(config, weights, x, around)
                                                   : post_norm_layer(config, weights, x, around);
}

const Matrix<float>& output_of(const ModelConfig& config, const LayerTrace& trace) {
  return config.architecture == Architecture::Gpt2 ? trace.ffn_sum : trace.norm2;
}

double largest_magnitude(const std::vector<float>& values) {
  float largest = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) {
      return std::numeric_limits<double>::infinity();
    }
    largest = std::max(largest, std::fabs(value));
  }
  return largest;
}

Matrix<float> float_norm(const Matrix<float>& x, const FloatNorm* norm, double epsilon) {
  Matrix<float> y(x.rows, x.cols);
  for (std::size_t r = 0; r < x.rows; ++r) {
    const RowMoments row = moments(x.row(r), x.cols);
    const auto mean = static_cast<float>(row.mean);
    const auto inverse = static_cast<float>(1.0 / std::sqrt(row.variance + epsilon));
    for (std::size_t c = 0; c < x.cols; ++c) {
      const float n = (x.at(r, c) - mean) * inverse;
      y.at(r, c) = norm == nullptr ? n : n * norm->gamma[c] + norm->beta[c];
    }
  }
  return y;
}

std::vector<double> row_deviations(const Matrix<float>& x) {
  std::vector<double> deviations(x.rows);
  for (std::size_t r = 0; r < x.rows; ++r) {
    deviations[r] = std::sqrt(moments(x.row(r), x.cols).variance);
  }
  return deviations;
}

HeadTrace float_head_transform(const ModelConfig& config, const FloatLanguageHead::Transform& transform,
                               const Matrix<float>& x) {
  HeadTrace trace;
  trace.before_activation = float_linear(x, transform.dense);
  trace.activation = trace.before_activation;
  activate(config.activation, trace.activation.data);
  trace.norm = float_norm(trace.activation, &transform.norm, config.norm_epsilon);
  return trace;
}

Matrix<float> float_linear(const Matrix<float>& x, const FloatLinear& linear) {
  SYSTOLE_CHECK(x.cols == linear.w.rows && linear.b.size() == linear.w.cols);
  Matrix<float> y(x.rows, linear.w.cols);
  float_gemm({x.data.data(), x.cols}, {linear.w.data.data(), linear.w.cols}, Right::Plain, linear.b.data(),
             y.data.data(), y.cols, x.rows, x.cols, y.cols);
  return y;
}

}  // namespace systole::workloads::reference
