#include "workloads/reference/blocks.h"

#include <algorithm>

#include "workloads/reference/gemm.h"
#include "workloads/reference/host_functions.h"

namespace systole::workloads::reference {
namespace {

constexpr std::int64_t kMaxProduct = 1 << 14;  // |-128 * -128|

std::int64_t largest_magnitude(const std::int32_t* values, std::size_t count) {
  std::int64_t largest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::abs(static_cast<std::int64_t>(values[i])));
  }
  return largest;
}

// Words whose exact sum leaves int32. Looks closer only where the operands are large enough.
std::uint64_t mac_overflows(const Matrix<std::int8_t>& a, const Matrix<std::int8_t>& w,
                            const std::vector<std::int32_t>& bias, const Matrix<std::int32_t>* addend) {
  std::int64_t bound = static_cast<std::int64_t>(a.cols) * kMaxProduct + largest_magnitude(bias.data(), bias.size());
  if (addend != nullptr) {
    bound += largest_magnitude(addend->data.data(), addend->size());
  }
  if (bound < std::int64_t{1} << 31) {
    return 0;
  }
  std::uint64_t overflows = 0;
  for (std::size_t r = 0; r < a.rows; ++r) {
    for (std::size_t n = 0; n < w.cols; ++n) {
      std::int64_t sum = bias[n] + (addend == nullptr ? std::int64_t{0} : addend->at(r, n));
      for (std::size_t k = 0; k < a.cols; ++k) {
        sum += a.at(r, k) * w.at(k, n);
      }
      overflows += sum != static_cast<std::int32_t>(sum) ? 1 : 0;
    }
  }
  return overflows;
}

Matrix<std::int32_t> multiply(const Context& context, const Matrix<std::int8_t>& a, const Matrix<std::int8_t>& w,
                              const std::vector<std::int32_t>& bias, const Matrix<std::int32_t>* addend) {
  SYSTOLE_CHECK(a.cols == w.rows && bias.size() == w.cols);
  Matrix<std::int32_t> c(a.rows, w.cols);
  gemm(a.data.data(), w.data.data(), Right::Plain, bias.data(), 0, c.data.data(), a.rows, a.cols, w.cols);
  if (addend != nullptr) {
    for (std::size_t i = 0; i < c.size(); ++i) {
      c.data[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(c.data[i]) +
                                            static_cast<std::uint32_t>(addend->data[i]));
    }
  }
  context.overflows.mac += mac_overflows(a, w, bias, addend);
  return c;
}

template <typename T>
Matrix<std::int32_t> scaled_residual(const Matrix<T>& residual, const Residual& constants) {
  Matrix<std::int32_t> addend(residual.rows, residual.cols);
  for (std::size_t r = 0; r < residual.rows; ++r) {
    for (std::size_t c = 0; c < residual.cols; ++c) {
      const std::int32_t x = residual.at(r, c);
      addend.at(r, c) = constants.diagonal.empty()
                            ? scale32(x, constants.scale)
                            : static_cast<std::int32_t>(static_cast<std::uint32_t>(x) *
                                                        static_cast<std::uint32_t>(constants.diagonal[c]));
    }
  }
  return addend;
}

ExpParameters parameters_of(const ExpConstants& c) { return {c.qb, c.qc, c.qln2, c.qln2_inv}; }

// All heads of one tensor that has a slice per head.
class Stack {
 public:
  Stack(Dtype dtype, std::size_t heads, std::size_t rows, std::size_t cols)
      : tensor_(dtype, {heads, rows, cols}), slice_(rows * cols) {}

  template <typename T>
  [[nodiscard]] T* slice(std::size_t head) {
    return tensor_.as<T>() + head * slice_;
  }
  template <typename T>
  void set(std::size_t head, const std::vector<T>& values) {
    SYSTOLE_CHECK(values.size() == slice_);
    std::copy(values.begin(), values.end(), slice<T>(head));
  }
  [[nodiscard]] Tensor take() { return std::move(tensor_); }

 private:
  Tensor tensor_;
  std::size_t slice_;
};

void append(Matrix<std::int8_t>& cache, const Matrix<std::int8_t>& rows) {
  cache.cols = rows.cols;
  cache.rows += rows.rows;
  cache.data.insert(cache.data.end(), rows.data.begin(), rows.data.end());
}

// Scores of one head, masked.
void score(const Matrix<std::int8_t>& q, const Matrix<std::int8_t>& k, const Mask& mask, std::int32_t magnitude,
           std::int32_t* s) {
  gemm(q.data.data(), k.data.data(), Right::Transposed, nullptr, 0, s, q.rows, q.cols, k.rows);
  for (std::size_t r = 0; r < q.rows; ++r) {
    for (std::size_t key = mask.visible(r); key < k.rows; ++key) {
      std::int32_t& masked = s[r * k.rows + key];
      masked = static_cast<std::int32_t>(static_cast<std::uint32_t>(masked) - static_cast<std::uint32_t>(magnitude));
    }
  }
}

}  // namespace

Matrix<std::int8_t> project(const Context& context, const Matrix<std::int8_t>& x, const Matrix<std::int8_t>& w,
                            const std::vector<std::int32_t>& bias, float scale) {
  const Matrix<std::int32_t> sums = multiply(context, x, w, bias, nullptr);
  Matrix<std::int8_t> y(sums.rows, sums.cols);
  scale8(sums.data.data(), sums.size(), scale, y.data.data());
  return y;
}

void append_keys(const Context& context, const AttentionWeights& weights, const Matrix<std::int8_t>& x,
                 const std::string& name, HeadCaches& caches) {
  const std::size_t heads = weights.heads.size();
  caches.resize(heads);
  Stack k(Dtype::I8, heads, x.rows, context.model.dk());
  Stack v(Dtype::I8, heads, x.rows, context.model.dk());
  for (std::size_t h = 0; h < heads; ++h) {
    const HeadWeights& head = weights.heads[h];
    const Matrix<std::int8_t> keys = project(context, x, head.wk, head.bk, head.ak);
    const Matrix<std::int8_t> values = project(context, x, head.wv, head.bv, head.av);
    k.set(h, keys.data);
    v.set(h, values.data);
    append(caches[h].k, keys);
    append(caches[h].v, values);
  }
  context.sink(name + "k", k.take());
  context.sink(name + "v", v.take());
}

Matrix<std::int8_t> attend(const Context& context, const AttentionWeights& weights, const Matrix<std::int8_t>& x,
                           const HeadCaches& caches, const Mask& mask, const std::string& name) {
  const std::size_t heads = weights.heads.size();
  const std::size_t dk = context.model.dk();
  const std::size_t keys = caches.at(0).k.rows;
  const bool deferred = context.model.probability_form == ProbabilityForm::Deferred;
  Stack q(Dtype::I8, heads, x.rows, dk);
  Stack s(Dtype::I32, heads, x.rows, keys);
  Stack p(Dtype::I8, heads, x.rows, keys);
  Stack sums(Dtype::I32, heads, x.rows, 1);
  Stack ctx(Dtype::I8, heads, x.rows, dk);
  Matrix<std::int8_t> side_by_side(x.rows, heads * dk);
  std::vector<std::int32_t> product(x.rows * dk);
  for (std::size_t h = 0; h < heads; ++h) {
    const HeadWeights& head = weights.heads[h];
    const Matrix<std::int8_t> queries = project(context, x, head.wq, head.bq, head.aq);
    q.set(h, queries.data);
    score(queries, caches[h].k, mask, mask_magnitude(dk, head), s.slice<std::int32_t>(h));
    for (std::size_t r = 0; r < x.rows; ++r) {
      if (context.model.host_functions) {
        host_softmax_row(s.slice<std::int32_t>(h) + r * keys, keys, mask.visible(r), host_softmax_of(head),
                         p.slice<std::int8_t>(h) + r * keys);
        continue;
      }
      const std::int32_t sum =
          exp_row(s.slice<std::int32_t>(h) + r * keys, keys, head.pre_shift, parameters_of(head.exp),
                  deferred ? ExpReadout::Exponentials : ExpReadout::Softmax, head.probability_scale,
                  p.slice<std::int8_t>(h) + r * keys, context.overflows);
      sums.slice<std::int32_t>(h)[r] = deferred ? sum : 0;
    }
    gemm(p.slice<std::int8_t>(h), caches[h].v.data.data(), Right::Plain, nullptr, 0, product.data(), x.rows, keys, dk);
    for (std::size_t r = 0; r < x.rows; ++r) {
      std::int8_t* to = ctx.slice<std::int8_t>(h) + r * dk;
      if (deferred) {
        row_scale8(product.data() + r * dk, dk, sums.slice<std::int32_t>(h)[r], head.context_scale, to);
      } else {
        scale8(product.data() + r * dk, dk, head.context_scale, to);
      }
      std::copy(to, to + dk, side_by_side.row(r) + h * dk);
    }
  }
  context.sink(name + "q", q.take());
  context.sink(name + "s", s.take());
  context.sink(name + "p", p.take());
  context.sink(name + "rowsum", sums.take());
  context.sink(name + "ctx", ctx.take());
  return side_by_side;
}

Matrix<std::int32_t> add_residual(const Context& context, const Matrix<std::int8_t>& a, const Matrix<std::int8_t>& w,
                                  const std::vector<std::int32_t>& bias, const Matrix<std::int8_t>& residual,
                                  const Residual& constants) {
  const Matrix<std::int32_t> addend = scaled_residual(residual, constants);
  return multiply(context, a, w, bias, &addend);
}

Matrix<std::int32_t> add_residual(const Context& context, const Matrix<std::int8_t>& a, const Matrix<std::int8_t>& w,
                                  const std::vector<std::int32_t>& bias, const Matrix<std::int32_t>& residual,
                                  const Residual& constants) {
  const Matrix<std::int32_t> addend = scaled_residual(residual, constants);
  return multiply(context, a, w, bias, &addend);
}

Matrix<std::int32_t> product(const Context& context, const Matrix<std::int8_t>& a, const Matrix<std::int8_t>& w,
                             const std::vector<std::int32_t>& bias) {
  return multiply(context, a, w, bias, nullptr);
}

Matrix<std::int8_t> feed_forward(const Context& context, const LayerWeights& layer, const Matrix<std::int8_t>& x,
                                 const std::string& prefix) {
  return activated_product(context, x, layer.w1, layer.b1, layer.activation, prefix + "ffn1_acc", prefix);
}

Matrix<std::int8_t> activated_product(const Context& context, const Matrix<std::int8_t>& x, const Matrix<std::int8_t>& w,
                                      const std::vector<std::int32_t>& bias, const ActivationConstants& c,
                                      const std::string& sums_name, const std::string& prefix) {
  const Matrix<std::int32_t> sums = multiply(context, x, w, bias, nullptr);
  context.sink(sums_name, Tensor::from(sums));
  Matrix<std::int8_t> y(sums.rows, sums.cols);
  switch (context.model.activation) {
    case Activation::Gelu:
      if (context.model.host_functions) {
        host_gelu(sums.data.data(), sums.size(), c, y.data.data());
        break;
      }
      gelu8(sums.data.data(), sums.size(), c.pre_shift, c.qb, c.qc, c.scale, y.data.data(), context.overflows);
      break;
    case Activation::Relu:
      relu8(sums.data.data(), sums.size(), c.scale, y.data.data());
      break;
  }
  context.sink(prefix + name_of(context.model.activation), Tensor::from(y));
  return y;
}

Matrix<std::int8_t> layer_norm(const Context& context, const Matrix<std::int32_t>& x, const NormConstants& norm) {
  const bool affine = context.model.norm_form == NormForm::Affine;
  NormParameters parameters;
  parameters.pre_shift = norm.pre_shift;
  parameters.wide = context.model.wide_variance;
  parameters.scale = norm.scale;
  parameters.gamma = affine ? norm.gamma.data() : nullptr;
  parameters.beta = affine ? norm.beta.data() : nullptr;
  Matrix<std::int8_t> y(x.rows, x.cols);
  for (std::size_t r = 0; r < x.rows; ++r) {
    norm_row(x.row(r), x.cols, parameters, y.row(r), context.overflows);
  }
  return y;
}

}  // namespace systole::workloads::reference
