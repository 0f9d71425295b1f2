#include "workloads/case_study/products.h"

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
    const std::uint64_t d = l_.model, width = d / l_.heads;
    builder_.flush();
    const Matrix input = tensor(l_.rows, d);
    const Matrix q = projection("q_proj", input, d, false);
    const Matrix k = projection("k_proj", input, d, false);
    const Matrix v = projection("v_proj", input, d, false);
    const Matrix scores = tensor(l_.heads * l_.rows, l_.rows, wide());
    const Matrix weights = tensor(l_.heads * l_.rows, l_.rows);  // what the CPU makes of the scores
    const Matrix context = tensor(l_.rows, d);
    builder_.region("scores", l_.rows * l_.rows * d);
    for (std::uint64_t h = 0; h < l_.heads; ++h)
      multiply(q.block(0, h * width, l_.rows, width), k.block(0, h * width, l_.rows, width), {},
               scores.rows_from(h * l_.rows, l_.rows), true);
    builder_.region("context", l_.rows * l_.rows * d);
    for (std::uint64_t h = 0; h < l_.heads; ++h)
      multiply(weights.rows_from(h * l_.rows, l_.rows), v.block(0, h * width, l_.rows, width), {},
               context.block(0, h * width, l_.rows, width), false);
    (void)projection("out_proj", context, d, true);
    (void)projection("ff1", input, l_.feed_forward, true);
    (void)projection("ff2", tensor(l_.rows, l_.feed_forward), d, true);
    return std::move(program_);
  }

 private:
  [[nodiscard]] Element wide() const { return l_.wide_results ? Element::kInt32 : Element::kInt8; }

  Matrix tensor(std::uint64_t rows, std::uint64_t columns, Element element = Element::kInt8) {
    const std::uint64_t stride = columns * kernels::bytes_of(element);
    const std::uint64_t address = next_;
    next_ += kernels::round_up(rows * stride, 64);
    return {address, rows, columns, stride, element};
  }

  void multiply(const Matrix& a, const Matrix& b, const Matrix& d, const Matrix& c, bool transpose_b) {
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
