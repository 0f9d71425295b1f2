#include "workloads/graph/quantised_graph.h"

#include <algorithm>
#include <cmath>
#include <random>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "workloads/quantise/constants.h"
#include "workloads/reference/arithmetic.h"
#include "workloads/reference/gemm.h"

namespace systole::workloads {
namespace {

namespace ref = reference;
using Words = Matrix<std::int32_t>;
using Bytes = Matrix<std::int8_t>;

constexpr double kUniformDeviation = 73.6;  // of -127..127
constexpr double kMaxInt8 = 127;
// Statistics of an unseen row may be this much larger than those of the rows at hand.
constexpr double kMargin = 4;

struct Statistics {
  double largest = 1;
  double deviation = 1;
};

Statistics statistics_of(const Words& x) {
  Statistics s;
  double sum = 0, squares = 0;
  for (const std::int32_t v : x.data) {
    s.largest = std::max(s.largest, std::fabs(static_cast<double>(v)));
    sum += v;
    squares += static_cast<double>(v) * v;
  }
  const auto n = static_cast<double>(x.size());
  s.deviation = std::max(1.0, std::sqrt(std::max(0.0, squares / n - sum / n * (sum / n))));
  return s;
}

// Rows of y = x * b + bias.
Words product(const Bytes& a, const std::int8_t* b, ref::Right right, std::size_t n, const std::vector<std::int32_t>& bias) {
  Words c(a.rows, n);
  ref::gemm(a.data.data(), b, right, bias.empty() ? nullptr : bias.data(), 0, c.data.data(), a.rows, a.cols, n);
  return c;
}

template <typename T>
Matrix<T> as_matrix(const Tensor& t) {
  Matrix<T> m(t.shape[0], t.shape[1]);
  std::copy(t.as<T>(), t.as<T>() + m.size(), m.data.begin());
  return m;
}

// Any operand as words.
Words words_of(const Tensor& t) {
  if (t.dtype == Dtype::I32) return as_matrix<std::int32_t>(t);
  Words w(t.shape[0], t.shape[1]);
  std::copy(t.as<std::int8_t>(), t.as<std::int8_t>() + w.size(), w.data.begin());
  return w;
}

void add_scaled(Words& sum, const Words& x, float scale) {
  for (std::size_t i = 0; i < sum.size(); ++i) {
    sum.data[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(sum.data[i]) +
                                            static_cast<std::uint32_t>(ref::scale32(x.data[i], scale)));
  }
}

class Quantiser {
 public:
  Quantiser(const Graph& graph, const GraphFunctions& functions) : result_{graph, functions, {}} {}

  QuantisedGraph run() {
    for (const GraphNode& node : result_.graph.nodes) {
      // Each node has a generator of its own, so that a change elsewhere does not change its numbers.
      random_.seed(static_cast<std::uint32_t>(result_.graph.seed * 1000003 + result_.parameters.size()));
      result_.parameters.push_back(quantise(node));
    }
    return std::move(result_);
  }

 private:
  const GraphParameters& operand(const GraphNode& node, std::size_t n) const { return result_.parameters[node.inputs[n]]; }

  std::int32_t integer(std::int32_t lo, std::int32_t hi) {
    return lo + static_cast<std::int32_t>(random_() % static_cast<std::uint32_t>(hi - lo + 1));
  }
  float number(float lo, float hi) { return lo + (hi - lo) * static_cast<float>(random_() >> 8) / 16777216.0F; }

  GraphParameters quantise(const GraphNode& node) {
    switch (node.op) {
      case GraphOp::kInput:
        return input(node);
      case GraphOp::kLinear:
        return linear(node);
      case GraphOp::kMatmul: {
        GraphParameters p;
        const Bytes a = as_matrix<std::int8_t>(operand(node, 0).value), b = as_matrix<std::int8_t>(operand(node, 1).value);
        const Words sum = product(a, b.data.data(), node.transpose_b ? ref::Right::Transposed : ref::Right::Plain, node.cols, {});
        read_out(node, sum, operand(node, 0).unit * operand(node, 1).unit, p);
        return p;
      }
      case GraphOp::kAttention:
        return attention(node);
      case GraphOp::kLayerNorm:
        return layer_norm(node);
      case GraphOp::kSoftmax:
        return softmax(node);
      case GraphOp::kAdd:
        return add(node);
    }
    SYSTOLE_CHECK(false);
    return {};
  }

  GraphParameters input(const GraphNode& node) {
    GraphParameters p;
    Bytes x(node.rows, node.cols);
    // Three uniform numbers: bell-shaped, deviation about 40.
    for (std::int8_t& v : x.data) v = static_cast<std::int8_t>((integer(-120, 120) + integer(-120, 120) + integer(-120, 120)) / 3);
    p.unit = 1.0 / 40;
    p.value = Tensor::from(x);
    return p;
  }

  GraphParameters linear(const GraphNode& node) {
    GraphParameters p;
    const GraphParameters& x = operand(node, 0);
    const std::size_t in = x.value.shape[1];
    p.weights = Bytes(in, node.cols);
    for (std::int8_t& w : p.weights.data) w = static_cast<std::int8_t>(integer(-127, 127));
    // Real weights of deviation 1 / sqrt(inputs) keep the deviation of the activations.
    const double unit = x.unit / (kUniformDeviation * std::sqrt(static_cast<double>(in)));
    if (node.bias) {
      p.bias.resize(node.cols);
      for (std::int32_t& b : p.bias) b = integer(-static_cast<std::int32_t>(0.2 / unit), static_cast<std::int32_t>(0.2 / unit));
    }
    Words sum = product(as_matrix<std::int8_t>(x.value), p.weights.data.data(), ref::Right::Plain, node.cols, p.bias);
    if (node.residual) {
      const GraphParameters& r = operand(node, 1);
      p.residual_scales = {static_cast<float>(r.unit / unit)};
      add_scaled(sum, words_of(r.value), p.residual_scales[0]);
    }
    read_out(node, sum, unit, p);
    return p;
  }

  // The result of an accumulator whose unit has the real value `unit`.
  void read_out(const GraphNode& node, const Words& sum, double unit, GraphParameters& p) {
    if (node.int32) {
      p.unit = unit;
      p.value = Tensor::from(sum);
      return;
    }
    const Statistics s = statistics_of(sum);
    Bytes y(sum.rows, sum.cols);
    ref::OverflowCounters overflows;
    switch (node.activation) {
      case GraphActivation::kNone:
      case GraphActivation::kRelu:
        p.scale = static_cast<float>(kMaxInt8 / s.largest);
        p.unit = unit / p.scale;
        if (node.activation == GraphActivation::kRelu) {
          ref::relu8(sum.data.data(), sum.size(), p.scale, y.data.data());
        } else {
          ref::scale8(sum.data.data(), sum.size(), p.scale, y.data.data());
        }
        break;
      case GraphActivation::kGelu: {
        const GeluPolynomial polynomial;
        while (p.pre_shift < 31 && !gelu_fits(std::ldexp(unit, p.pre_shift), kMargin * s.largest * unit, polynomial)) ++p.pre_shift;
        const GeluConstants c = gelu_constants(std::ldexp(unit, p.pre_shift), polynomial);
        p.qb = c.qb, p.qc = c.qc;
        p.unit = s.largest * unit / kMaxInt8;
        p.scale = static_cast<float>(c.out_scale / p.unit);
        ref::gelu8(sum.data.data(), sum.size(), p.pre_shift, p.qb, p.qc, p.scale, y.data.data(), overflows);
        break;
      }
    }
    refuse(node, overflows);
    p.value = Tensor::from(y);
  }

  GraphParameters add(const GraphNode& node) {
    GraphParameters p;
    const GraphParameters& a = operand(node, 0);
    const GraphParameters& b = operand(node, 1);
    // Ten bits below the coarser operand.
    const double unit = std::max(a.unit, b.unit) / 1024;
    p.residual_scales = {static_cast<float>(a.unit / unit), static_cast<float>(b.unit / unit)};
    Words sum(node.rows, node.cols);
    add_scaled(sum, words_of(a.value), p.residual_scales[0]);
    add_scaled(sum, words_of(b.value), p.residual_scales[1]);
    read_out(node, sum, unit, p);
    return p;
  }

  GraphParameters layer_norm(const GraphNode& node) {
    GraphParameters p;
    const Words x = as_matrix<std::int32_t>(operand(node, 0).value);
    double deviation = 1;
    for (std::size_t r = 0; r < x.rows; ++r) {
      Words row(1, x.cols);
      std::copy(x.row(r), x.row(r) + x.cols, row.data.begin());
      deviation = std::max(deviation, statistics_of(row).deviation);
    }
    const bool wide = result_.functions.wide_variance;
    if (!wide) p.pre_shift = pre_shift_for(1, smallest_norm_scale(x.cols, kMargin * deviation));
    p.scale = 32;
    p.unit = 1 / static_cast<double>(p.scale);
    if (result_.functions.affine_norm) {
      for (std::size_t c = 0; c < x.cols; ++c) {
        p.gamma.push_back(number(0.5F, 1.5F));
        p.beta.push_back(number(-8.0F, 8.0F));
      }
    }
    Bytes y(x.rows, x.cols);
    ref::OverflowCounters overflows;
    ref::NormParameters n{p.pre_shift, wide, p.scale, p.gamma.empty() ? nullptr : p.gamma.data(), p.beta.empty() ? nullptr : p.beta.data()};
    for (std::size_t r = 0; r < x.rows; ++r) ref::norm_row(x.row(r), x.cols, n, y.row(r), overflows);
    refuse(node, overflows);
    p.value = Tensor::from(y);
    return p;
  }

  GraphParameters softmax(const GraphNode& node) {
    GraphParameters p;
    const GraphParameters& x = operand(node, 0);
    p.pre_shift = pre_shift_for(x.unit, smallest_exp_scale(node.cols));
    p.exp = exp_constants(std::ldexp(x.unit, p.pre_shift));
    p.scale = 1;  // 127 is probability 1
    p.unit = 1 / kMaxInt8;
    const Words words = as_matrix<std::int32_t>(x.value);
    Bytes y(words.rows, words.cols);
    ref::OverflowCounters overflows;
    for (std::size_t r = 0; r < words.rows; ++r) {
      (void)ref::exp_row(words.row(r), words.cols, p.pre_shift, {p.exp.qb, p.exp.qc, p.exp.qln2, p.exp.qln2_inv},
                         ref::ExpReadout::Softmax, p.scale, y.row(r), overflows);
    }
    refuse(node, overflows);
    p.value = Tensor::from(y);
    return p;
  }

  GraphParameters attention(const GraphNode& node) {
    GraphParameters p;
    const GraphParameters& q = operand(node, 0);
    const GraphParameters& k = operand(node, 1);
    const GraphParameters& v = operand(node, 2);
    const std::size_t keys = k.value.shape[0];
    const std::size_t dk = node.cols / node.heads;
    const bool deferred = result_.functions.deferred_softmax;
    const double unit = q.unit * k.unit / std::sqrt(static_cast<double>(dk));
    GraphHead& h = p.head;
    h.pre_shift = pre_shift_for(unit, smallest_exp_scale(keys));
    h.exp = exp_constants(std::ldexp(unit, h.pre_shift));
    const double peak = static_cast<double>(h.exp.qb) * h.exp.qb + h.exp.qc;  // exp(0)
    h.probability_scale = deferred ? static_cast<float>(kMaxInt8 / peak) : 1.0F;
    // The context is an average of values: at most as large as they are.
    p.unit = v.unit;
    h.context_scale = static_cast<float>(deferred ? peak / (kMaxInt8 * kMaxInt8) : 1 / kMaxInt8);
    HeadWeights as_weights;
    as_weights.exp = h.exp;
    as_weights.pre_shift = h.pre_shift;
    p.mask = node.causal ? mask_magnitude(dk, as_weights) : 0;
    Bytes y(node.rows, node.cols);
    ref::OverflowCounters overflows;
    for (std::size_t head = 0; head < node.heads; ++head) {
      const Bytes qh = columns(q.value, head * dk, dk), kh = columns(k.value, head * dk, dk), vh = columns(v.value, head * dk, dk);
      Words s = product(qh, kh.data.data(), ref::Right::Transposed, keys, {});
      Bytes probabilities(node.rows, keys);
      std::vector<std::int32_t> sums(node.rows);
      for (std::size_t r = 0; r < node.rows; ++r) {
        for (std::size_t c = r + 1; node.causal && c < keys; ++c) s.at(r, c) -= p.mask;
        sums[r] = ref::exp_row(s.row(r), keys, h.pre_shift, {h.exp.qb, h.exp.qc, h.exp.qln2, h.exp.qln2_inv},
                               deferred ? ref::ExpReadout::Exponentials : ref::ExpReadout::Softmax, h.probability_scale,
                               probabilities.row(r), overflows);
      }
      const Words c = product(probabilities, vh.data.data(), ref::Right::Plain, dk, {});
      for (std::size_t r = 0; r < node.rows; ++r) {
        std::int8_t* out = y.row(r) + head * dk;
        if (deferred) {
          ref::row_scale8(c.row(r), dk, sums[r], h.context_scale, out);
        } else {
          ref::scale8(c.row(r), dk, h.context_scale, out);
        }
      }
    }
    refuse(node, overflows);
    p.value = Tensor::from(y);
    return p;
  }

  static Bytes columns(const Tensor& t, std::size_t first, std::size_t count) {
    Bytes m(t.shape[0], count);
    for (std::size_t r = 0; r < m.rows; ++r) {
      const std::int8_t* from = t.as<std::int8_t>() + r * t.shape[1] + first;
      std::copy(from, from + count, m.row(r));
    }
    return m;
  }

  static void refuse(const GraphNode& node, const ref::OverflowCounters& overflows) {
    if (overflows.total() == 0) return;
    throw ConfigError(fmt::format("{}: error: the values of '{}' leave the machine's 32 bits: its operands are too large", node.where,
                                  node.name));
  }

  QuantisedGraph result_;
  std::mt19937 random_;
};

}  // namespace

QuantisedGraph quantise_graph(const Graph& graph, const GraphFunctions& functions) { return Quantiser(graph, functions).run(); }

}  // namespace systole::workloads
