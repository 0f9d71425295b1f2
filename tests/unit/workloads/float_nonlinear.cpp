#include "float_nonlinear.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "workloads/quantise/weight_scale.h"
#include "workloads/reference/float_gemm.h"
#include "workloads/reference/float_model.h"

namespace systole::workloads {
namespace {

using reference::float_linear;
using reference::float_norm;
using reference::LayerTrace;

constexpr float kLargest = 127.0F;

// Largest magnitudes of the int8 tensors of a layer.
struct Ranges {
  double q = 0, k = 0, v = 0, ctx = 0, norm1 = 0, activation = 0, norm2 = 0;

  void see(const LayerTrace& t) {
    const auto grow = [](double& range, const Matrix<float>& x) { range = std::max(range, reference::largest_magnitude(x.data)); };
    grow(q, t.attention.q), grow(k, t.attention.k), grow(v, t.attention.v), grow(ctx, t.attention.ctx);
    grow(norm1, t.norm1), grow(activation, t.activation), grow(norm2, t.norm2);
  }
};

// On the grid of int8 with this range.
Matrix<float> rounded(Matrix<float> x, double range) {
  const auto scale = static_cast<float>(range / kLargest);
  for (float& value : x.data) value = std::clamp(std::nearbyint(value / scale), -kLargest, kLargest) * scale;
  return x;
}

FloatLinear rounded(FloatLinear linear) {
  const double scale = best_weight_scale(linear.w, 0, linear.w.cols);
  const Matrix<std::int8_t> integers = quantise_weights(linear.w, 0, linear.w.cols, scale);
  for (std::size_t i = 0; i < integers.size(); ++i) linear.w.data[i] = integers.data[i] * static_cast<float>(scale);
  return linear;
}

Matrix<float> sum(Matrix<float> a, const Matrix<float>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a.data[i] += b.data[i];
  return a;
}

// Softmax in floating point; its int8 form is e / e(max), and the division by the sum follows the product.
Matrix<float> attend(const ModelConfig& config, std::size_t layer, const Matrix<float>& q, const Matrix<float>& k, const Matrix<float>& v, bool causal) {
  const std::size_t rows = q.rows, d = config.d, dk = config.dk();
  const auto factor = static_cast<float>(config.score_factor(layer));
  Matrix<float> ctx(rows, d), p(rows, rows);
  std::vector<float> sums(rows);
  for (std::size_t h = 0; h < config.heads; ++h) {
    reference::float_gemm({q.data.data() + h * dk, d}, {k.data.data() + h * dk, d}, reference::Right::Transposed, nullptr, p.data.data(), rows, rows, dk, rows);
    for (std::size_t r = 0; r < rows; ++r) {
      const std::size_t visible = causal ? r + 1 : rows;
      float* row = p.row(r);
      const float largest = *std::max_element(row, row + visible);
      sums[r] = 0;
      for (std::size_t c = 0; c < rows; ++c) {
        const float e = c < visible ? std::exp((row[c] - largest) * factor) : 0.0F;
        sums[r] += e;
        row[c] = std::nearbyint(e * kLargest) / kLargest;
      }
    }
    reference::float_gemm({p.data.data(), rows}, {v.data.data() + h * dk, d}, reference::Right::Plain, nullptr, ctx.data.data() + h * dk, d, rows, rows, dk);
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < dk; ++c) ctx.at(r, h * dk + c) /= sums[r];
    }
  }
  return ctx;
}

Matrix<float> activated(const ModelConfig& config, Matrix<float> x) {
  for (float& v : x.data) {
    const double u = v;
    v = static_cast<float>(config.activation == FloatActivation::GeluErf
                               ? u * 0.5 * (1 + std::erf(u / std::sqrt(2.0)))
                               : u * 0.5 * (1 + std::tanh(std::sqrt(2 / M_PI) * (u + 0.044715 * u * u * u))));
  }
  return x;
}

// `x`: the int8 input of a post-LN layer, the real residual stream of a pre-LN layer.
Matrix<float> layer_output(const ModelConfig& config, std::size_t index, const FloatLayer& w, const Ranges& r, const Matrix<float>& x) {
  const bool pre_norm = config.architecture == Architecture::Gpt2;
  const Matrix<float> y = pre_norm ? rounded(float_norm(x, &w.norm1, config.norm_epsilon), r.norm1) : x;
  const Matrix<float> q = rounded(float_linear(y, rounded(w.attention.q)), r.q), k = rounded(float_linear(y, rounded(w.attention.k)), r.k),
                      v = rounded(float_linear(y, rounded(w.attention.v)), r.v);
  const Matrix<float> ctx = rounded(attend(config, index, q, k, v, pre_norm), r.ctx);
  Matrix<float> mid = sum(float_linear(ctx, rounded(w.attention.o)), x);
  if (!pre_norm) mid = rounded(float_norm(mid, &w.norm1, config.norm_epsilon), r.norm1);
  const Matrix<float> z = pre_norm ? rounded(float_norm(mid, &w.norm2, config.norm_epsilon), r.norm2) : mid;
  const Matrix<float> inner = rounded(activated(config, float_linear(z, rounded(w.up))), r.activation);
  const Matrix<float> out = sum(float_linear(inner, rounded(w.down)), mid);
  return pre_norm ? out : rounded(float_norm(out, &w.norm2, config.norm_epsilon), r.norm2);
}

}  // namespace

ErrorMetrics accuracy_with_float_nonlinear(const WeightSource& source, std::size_t layers, const std::vector<std::int32_t>& tokens) {
  constexpr std::size_t kSequences = 4;
  const ModelConfig& config = source.config();
  const bool pre_norm = config.architecture == Architecture::Gpt2;
  const auto start = [&](const std::vector<std::int32_t>& of) {
    const Matrix<float> x = source.embed(pre_norm ? Side::Decoder : Side::Encoder, of, 0);
    if (!config.embedding_norm) return x;
    const FloatNorm norm = source.embedding_norm(Side::Encoder);
    return float_norm(x, &norm, config.norm_epsilon);
  };
  std::vector<Matrix<float>> streams;
  double range = 0;
  for (std::size_t i = 0; i < kSequences; ++i) {
    streams.push_back(start(random_tokens(config, tokens.size(), 1, i)));
    range = std::max(range, reference::largest_magnitude(streams.back().data));
  }
  Matrix<float> exact = start(tokens), x = pre_norm ? exact : rounded(exact, range);
  for (std::size_t index = 0; index < layers; ++index) {
    const FloatLayer weights = source.layer(index);
    Ranges ranges;
    const auto advance = [&](Matrix<float>& stream) {
      LayerTrace trace = reference::float_layer(config, weights, stream, {index, stream.rows, nullptr});
      stream = reference::output_of(config, trace);
      return trace;
    };
    for (Matrix<float>& stream : streams) ranges.see(advance(stream));
    (void)advance(exact);
    x = layer_output(config, index, weights, ranges, x);
  }
  if (pre_norm) {
    const FloatNorm norm = source.final_norm();
    range = 0;
    for (Matrix<float>& stream : streams) {
      stream = float_norm(stream, &norm, config.norm_epsilon);
      range = std::max(range, reference::largest_magnitude(stream.data));
    }
    exact = float_norm(exact, &norm, config.norm_epsilon);
    x = rounded(float_norm(x, &norm, config.norm_epsilon), range);
  }
  ErrorMetrics metrics;
  for (std::size_t i = 0; i < x.size(); ++i) metrics.add(exact.data[i], x.data[i]);
  return metrics;
}

}  // namespace systole::workloads
