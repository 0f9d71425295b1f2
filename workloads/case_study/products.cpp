#include "workloads/case_study/products.h"

#include "kernels/host_fallback.h"
#include "kernels/matmul.h"
#include "kernels/published.h"
#include "sim/base/errors.h"
#include "sim/base/memory.h"

namespace systole::workloads {
namespace {

using kernels::Element;
using kernels::Matrix;

class Products {
 public:
  Products(const LayerProducts& layer, const kernels::Target& target) : l_(layer), builder_(target, program_) {}

  isa::Program emit() {
    const std::uint64_t d = l_.model, width = d / l_.heads, l = l_.rows;
    builder_.flush();
    const Matrix input = tensor(l, d);
    const Matrix q = projection("q_proj", input, d, false);
    const Matrix k = projection("k_proj", input, d, false);
    const Matrix v = projection("v_proj", input, d, false);
    convert_all(q, k, v);
    const Matrix scores = tensor(l_.heads * l, l, wide());
    const Matrix weights = tensor(l_.heads * l, l);
    const Matrix context = tensor(l, d);
    builder_.region("scores", l * l * d);
    for (std::uint64_t h = 0; h < l_.heads; ++h)
      multiply(q.block(0, h * width, l, width), k.block(0, h * width, l, width), {}, scores.rows_from(h * l, l), true);
    if (on_cpu()) softmax(scores, weights);
    builder_.region("context", l * l * d);
    for (std::uint64_t h = 0; h < l_.heads; ++h)
      multiply(weights.rows_from(h * l, l), v.block(0, h * width, l, width), {}, context.block(0, h * width, l, width), false);
    convert_all(context);
    const Matrix attention = projection("out_proj", context, d, true);
    const Matrix normalised = tensor(l, d);
    if (on_cpu()) add_and_normalise(attention, input, normalised);
    const Matrix inner = projection("ff1", on_cpu() ? normalised : input, l_.feed_forward, true);
    const Matrix activated = tensor(l, l_.feed_forward);
    if (on_cpu()) gelu(inner, activated);
    const Matrix output = projection("ff2", activated, d, true);
    if (on_cpu()) add_and_normalise(output, normalised, tensor(l, d));
    builder_.fence();
    return std::move(program_);
  }

 private:
  [[nodiscard]] bool on_cpu() const { return l_.cpu != LayerProducts::Cpu::kNone; }

  // ---- the CPU's part. Scales do not matter for time.
  Matrix floats(const Matrix& like) { return tensor(like.rows, like.cols, Element::kFloat32); }

  Matrix dequantise(const Matrix& x) {
    const Matrix y = floats(x);
    builder_.region("conversion");
    kernels::host_dequantise(builder_, x, y, 1.0F);
    return y;
  }

  void quantise(const Matrix& x, const Matrix& out) {
    builder_.region("conversion");
    kernels::host_quantise(builder_, x, out, 1.0F);
  }

  // To floating point and back, of tensors that nothing but products touch.
  template <class... Tensors>
  void convert_all(const Tensors&... tensors) {
    if (l_.cpu != LayerProducts::Cpu::kAll) return;
    (quantise(dequantise(tensors), tensors), ...);
  }

  void softmax(const Matrix& scores, const Matrix& weights) {
    const Matrix y = dequantise(scores);
    builder_.region("softmax");
    kernels::host_softmax(builder_, y, y);
    quantise(y, weights);
  }

  void gelu(const Matrix& x, const Matrix& out) {
    const Matrix y = dequantise(x);
    builder_.region("gelu");
    kernels::host_gelu(builder_, y, y);
    quantise(y, out);
  }

  void add_and_normalise(const Matrix& x, const Matrix& residual, const Matrix& out) {
    const Matrix y = dequantise(x), term = dequantise(residual);
    builder_.region("residual");
    kernels::host_residual(builder_, y, term, y);
    builder_.region("layer_norm");
    kernels::host_layer_norm(builder_, y, tensor(2, y.cols, Element::kFloat32), y);
    quantise(y, out);
  }

  [[nodiscard]] Element wide() const { return l_.wide_results ? Element::kInt32 : Element::kInt8; }

  Matrix tensor(std::uint64_t rows, std::uint64_t columns, Element element = Element::kInt8) {
    const std::uint64_t stride = columns * kernels::bytes_of(element);
    const std::uint64_t address = next_;
    next_ += kernels::round_up(rows * stride, 64);
    return {address, rows, columns, stride, element};
  }

  void multiply(const Matrix& a, const Matrix& b, const Matrix& d, const Matrix& c, bool transpose_b) {
    if (l_.searched_tiles) {
      kernels::MatmulBranch branch;
      branch.b = b, branch.d = d, branch.c = c;
      kernels::matmul(builder_, a, transpose_b, {branch});
      builder_.fence();
      return;
    }
    kernels::PublishedMatmul matmul;
    matmul.a = a, matmul.b = b, matmul.d = d, matmul.c = c;
    matmul.transpose_b = transpose_b;
    kernels::published_matmul(builder_, matmul);
  }

  Matrix projection(const char* name, const Matrix& a, std::uint64_t columns, bool before_non_linear) {
    const Matrix weights = tensor(a.cols, columns);
    Matrix bias;
    if (l_.biases) {
      bias = tensor(1, columns, Element::kInt32);
      bias.stride = 0;
    }
    const Matrix result = tensor(a.rows, columns, before_non_linear ? wide() : Element::kInt8);
    builder_.region(name, a.rows * a.cols * columns);
    multiply(a, weights, bias, result, false);
    return result;
  }

  const LayerProducts l_;
  isa::Program program_;
  kernels::Builder builder_;
  std::uint64_t next_ = Memory::kDefaultBase + 0x1000;
};

}  // namespace

isa::Program layer_products(const LayerProducts& layer, const kernels::Target& target) {
  if (layer.rows == 0 || layer.model == 0 || layer.feed_forward == 0 || layer.heads == 0 ||
      layer.model % layer.heads != 0)
    throw ConfigError("a layer needs rows, columns and heads, and heads that divide its width");
  return Products(layer, target).emit();
}

}  // namespace systole::workloads
