#include "workloads/lower/published.h"

#include <vector>

#include "kernels/published.h"
#include "sim/base/errors.h"
#include "sim/base/memory.h"

namespace systole::workloads {
namespace {

using kernels::Element;
using kernels::Matrix;

// Constants as the library computes them: single-precision operands, truncation toward zero.
kernels::NonlinearConstants softmax_constants(float unit) {
  const float a = 0.3585f, b = 1.353f, c = 0.344f;
  kernels::NonlinearConstants k;
  k.qln2 = static_cast<std::int32_t>(0.693147 / unit);
  if (k.qln2 <= 0) throw ConfigError("the unit of the softmax input is too large");
  k.qln2_inv = 65536 / k.qln2;
  k.qb = static_cast<std::int32_t>(b / unit);
  k.qc = static_cast<std::int32_t>(c / (a * unit * unit));
  return k;
}

kernels::NonlinearConstants gelu_constants(float unit) {
  const float sqrt_2 = 1.41421356237f;
  const auto erf_unit = static_cast<float>(-0.2888 * ((unit * unit) / 2));
  kernels::NonlinearConstants k;
  k.qb = static_cast<std::int32_t>(-1.769 / (unit / sqrt_2));
  k.qc = static_cast<std::int32_t>(1.0 / erf_unit);
  return k;
}

class Published {
 public:
  Published(const PublishedLayer& layer, const kernels::Target& target, const std::map<std::string, std::uint64_t>& addresses)
      : l_(layer), builder_(target, program_), addresses_(addresses) {}

  isa::Program emit() {
    const std::uint64_t h = l_.hidden;
    builder_.flush();
    const Matrix input = tensor("input", l_.rows, h);
    Matrix x = attention(input, input, l_.cached, l_.self, l_.cross_keys != 0 ? "self_" : "", "");
    if (l_.cross_keys != 0) x = attention(x, tensor("enc_out", l_.cross_keys, h), 0, l_.cross, "cross_", "_cross");
    feed_forward(x);
    return std::move(program_);
  }

 private:
  // Packed rows, as in the published program's static arrays.
  Matrix tensor(const std::string& name, std::uint64_t rows, std::uint64_t cols, Element element = Element::kInt8) {
    const std::uint64_t bytes = rows * cols * kernels::bytes_of(element);
    const auto known = addresses_.find(name);
    const std::uint64_t address = known != addresses_.end() ? known->second : next_;
    if (known == addresses_.end()) next_ += kernels::round_up(bytes, 64);
    program_.symbols.push_back({name, address, bytes});
    return {address, rows, cols, cols * kernels::bytes_of(element), element};
  }
  Matrix bias(const Matrix& all, std::uint64_t index, std::uint64_t cols) const {
    return {all.at(index, 0), 1, cols, 0, Element::kInt32};
  }
  void region(const std::string& name, std::uint64_t macs = 0) { builder_.region(name, macs); }

  void multiply(const Matrix& a, const Matrix& b, const Matrix& d, const Matrix& c, float scale,
                isa::Activation activation = isa::Activation::kNone, const kernels::NonlinearConstants& constants = {},
                bool transpose_b = false) {
    kernels::PublishedMatmul m;
    m.a = a, m.b = b, m.d = d, m.c = c;
    m.scale = scale, m.activation = activation, m.constants = constants, m.transpose_b = transpose_b;
    kernels::published_matmul(builder_, m);
  }

  // Product with LayerNorm behind it, in one or two steps, and the residual sum.
  void normalised_product(const Matrix& a, const Matrix& w, const Matrix& d, const std::string& product, const std::string& acc_name,
                          const std::string& norm, const Matrix& out, float scale) {
    const std::uint64_t macs = a.rows * a.cols * w.cols;
    if (l_.fused_norm) {
      region(product + "_" + norm, macs);
      multiply(a, w, d, out, scale, isa::Activation::kLayerNorm);
      builder_.redundant_fence();
      return;
    }
    const Matrix acc = tensor(acc_name, a.rows, w.cols, Element::kInt32);
    region(product, macs);
    multiply(a, w, d, acc, 1.0f);
    builder_.redundant_fence();
    region(norm_region_prefix_ + norm);
    kernels::published_layer_norm(builder_, acc, out, scale);
  }

  Matrix attention(const Matrix& queries, const Matrix& keys, std::uint64_t cached, const PublishedScales& scales,
                   const std::string& prefix, const std::string& suffix) {
    const std::uint64_t h = l_.hidden, dk = h / l_.heads;
    if (dk == 0 || h % l_.heads != 0) throw ConfigError("the hidden size must be a multiple of the number of heads");
    const std::uint64_t all_keys = cached + keys.rows;
    const Matrix w = tensor("Wqkvo" + suffix, 4 * h, h);
    const Matrix w_bias = tensor("Wqkvo" + suffix + "_b", 4, h, Element::kInt32);
    const Matrix q = tensor("Q" + suffix, queries.rows, h);
    const Matrix k = tensor(cached != 0 ? "K_cache" : "K" + suffix, all_keys, h);
    const Matrix v = tensor(cached != 0 ? "V_cache" : "V" + suffix, all_keys, h);
    const Matrix probs = tensor("probs" + suffix, l_.heads * queries.rows, all_keys);
    const Matrix ctx = tensor("context" + suffix, queries.rows, h);

    region(prefix + "q_proj", queries.rows * h * h);
    multiply(queries, w.rows_from(0, h), bias(w_bias, 0, h), q, scales.projection);
    region(prefix + "k_proj", keys.rows * h * h);
    multiply(keys, w.rows_from(h, h), bias(w_bias, 1, h), k.rows_from(cached, keys.rows), scales.projection);
    region(prefix + "v_proj", keys.rows * h * h);
    multiply(keys, w.rows_from(2 * h, h), bias(w_bias, 2, h), v.rows_from(cached, keys.rows), scales.projection);
    builder_.redundant_fence();

    region(prefix + "scores_softmax", queries.rows * all_keys * h);
    for (std::uint64_t n = 0; n < l_.heads; ++n) {
      multiply(q.block(0, n * dk, q.rows, dk), k.block(0, n * dk, all_keys, dk), {}, probs.rows_from(n * q.rows, q.rows),
               scales.softmax, isa::Activation::kSoftmax, softmax_constants(scales.softmax_unit), true);
    }
    builder_.redundant_fence();

    region(prefix + "context", queries.rows * all_keys * h);
    for (std::uint64_t n = 0; n < l_.heads; ++n) {
      multiply(probs.rows_from(n * q.rows, q.rows), v.block(0, n * dk, all_keys, dk), {}, ctx.block(0, n * dk, q.rows, dk),
               scales.context);
    }
    builder_.redundant_fence();

    const Matrix ln = tensor("ln1" + suffix, queries.rows, h);
    norm_region_prefix_ = prefix;
    normalised_product(ctx, w.rows_from(3 * h, h), bias(w_bias, 3, h), prefix + "out_proj", "out_proj_acc" + suffix, "ln1", ln,
                       scales.norm);
    const Matrix sum = tensor("resadd1" + suffix, queries.rows, h);
    region(prefix + "resadd1");
    kernels::published_residual_add(builder_, queries, ln, sum);
    builder_.redundant_fence();
    return sum;
  }

  void feed_forward(const Matrix& x) {
    const std::uint64_t h = l_.hidden, e = l_.expansion;
    const Matrix w = tensor("ff_w", 2, h * e);
    const Matrix w1{w.address, h, e, e, Element::kInt8};
    const Matrix w2{w.address + h * e, e, h, h, Element::kInt8};
    const Matrix b1 = tensor("ff1_b", 1, e, Element::kInt32);
    const Matrix b2 = tensor("ff2_b", 1, h, Element::kInt32);
    const Matrix inner = tensor("ffn_hidden", l_.rows, e);
    const Matrix ln = tensor("ln2", l_.rows, h);
    region("ff1_gelu", l_.rows * h * e);
    multiply(x, w1, bias(b1, 0, e), inner, l_.gelu_scale, isa::Activation::kIgelu, gelu_constants(l_.gelu_unit));
    builder_.redundant_fence();
    norm_region_prefix_.clear();
    normalised_product(inner, w2, bias(b2, 0, h), "ff2", "ff2_acc", "ln2", ln, l_.norm2_scale);
    builder_.redundant_fence();
    const Matrix out = tensor("output", l_.rows, h);
    region("resadd2");
    kernels::published_residual_add(builder_, ln, x, out);
    builder_.redundant_fence();
  }

  const PublishedLayer l_;
  isa::Program program_;
  kernels::Builder builder_;
  const std::map<std::string, std::uint64_t>& addresses_;
  std::uint64_t next_ = Memory::kDefaultBase + 0x1000;
  std::string norm_region_prefix_;
};

}  // namespace

isa::Program published_layer(const PublishedLayer& layer, const kernels::Target& target,
                             const std::map<std::string, std::uint64_t>& addresses) {
  if (!target.normaliser) throw ConfigError("the published layer needs softmax, LayerNorm and GELU: sfu.normaliser=1");
  return Published(layer, target, addresses).emit();
}

}  // namespace systole::workloads
