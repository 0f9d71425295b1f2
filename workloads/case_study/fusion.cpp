#include "workloads/case_study/fusion.h"

#include <algorithm>

#include "kernels/normalise.h"
#include "kernels/published.h"
#include "kernels/tiling/gemmini.h"
#include "sim/base/errors.h"
#include "sim/base/memory.h"
#include "workloads/quantise/constants.h"

namespace systole::workloads {
namespace {

using kernels::Element;
using kernels::Matrix;

constexpr double kScoreUnit = 1e-4;  // real value of a score of 1: full-scale random operands of 64 elements reach +-30
constexpr float kNormScale = 32.0F;  // a standard deviation in units of int8

std::uint64_t next_random(std::uint64_t& state) {  // SplitMix64
  std::uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

class Emitter {
 public:
  Emitter(const NormalisedProduct& pair, const kernels::Target& target) : p_(pair), builder_(target, program_) {}

  isa::Program emit() {
    const bool softmax = p_.norm == PairNorm::kSoftmax;
    const Matrix a = tensor("a", p_.rows, p_.inner, Element::kInt8, p_.values);
    const Matrix b = softmax ? tensor("b", p_.columns, p_.inner, Element::kInt8, p_.values)
                             : tensor("b", p_.inner, p_.columns, Element::kInt8, p_.values);
    const Matrix result = tensor("result", p_.rows, p_.columns, Element::kInt8, false);
    kernels::PublishedMatmul matmul;
    matmul.a = a, matmul.b = b, matmul.c = result;
    matmul.transpose_b = softmax;
    const ExpConstants exp = exp_constants(kScoreUnit);
    const kernels::NonlinearConstants constants = {exp.qb, exp.qc, exp.qln2, exp.qln2_inv};
    builder_.flush();
    builder_.region("product", p_.rows * p_.columns * p_.inner);
    if (p_.fused) {
      matmul.activation = softmax ? isa::Activation::kSoftmax : isa::Activation::kLayerNorm;
      matmul.scale = softmax ? 1.0F : kNormScale;
      if (softmax) matmul.constants = constants;
      kernels::published_matmul(builder_, matmul);
      return std::move(program_);
    }
    matmul.c = tensor("sums", p_.rows, p_.columns, Element::kInt32, false);
    kernels::published_matmul(builder_, matmul);
    builder_.region("norm");
    if (softmax) {
      kernels::StoreConfig store;
      store.activation = isa::Activation::kSoftmax;
      store.constants = constants;
      kernels::normalise_matrix(builder_, kernels::RowStatistics::kSoftmax, matmul.c, result, store, 0);
      builder_.fence();
    } else {
      kernels::published_layer_norm(builder_, matmul.c, result, kNormScale);
    }
    return std::move(program_);
  }

 private:
  Matrix tensor(const char* name, std::uint64_t rows, std::uint64_t columns, Element element, bool random) {
    const std::uint64_t bytes = rows * columns * kernels::bytes_of(element);
    const std::uint64_t address = next_;
    next_ += kernels::round_up(bytes, 64);
    program_.symbols.push_back({name, address, bytes});
    if (random) {
      isa::Segment segment{address, std::vector<std::uint8_t>(bytes)};
      for (std::uint8_t& byte : segment.bytes) byte = static_cast<std::uint8_t>(next_random(state_) >> 56);
      program_.image.push_back(std::move(segment));
    }
    return {address, rows, columns, columns * kernels::bytes_of(element), element};
  }

  const NormalisedProduct p_;
  isa::Program program_;
  kernels::Builder builder_;
  std::uint64_t next_ = Memory::kDefaultBase + 0x1000;
  std::uint64_t state_ = 1;
};

}  // namespace

isa::Program normalised_product(const NormalisedProduct& pair, const kernels::Target& target) {
  if (pair.rows == 0 || pair.columns == 0 || pair.inner == 0) throw ConfigError("a product needs rows, columns and inner elements");
  if (!target.normaliser) throw ConfigError("softmax and LayerNorm on the machine need sfu.normaliser=1");
  return Emitter(pair, target).emit();
}

PairEstimate estimate_pair(const NormalisedProduct& pair, const kernels::Target& target, double bus_bytes) {
  constexpr double kPasses = 3, kWide = 4;
  const auto dim = static_cast<std::uint64_t>(target.dim);
  const kernels::Tiling t = kernels::gemmini_tiling(target, {pair.rows, pair.columns, pair.inner}, pair.fused);
  const auto number = [](std::uint64_t n) { return static_cast<double>(n); };
  const double i_steps = number(kernels::ceil_div(kernels::ceil_div(pair.rows, dim), t.i));
  const double j_steps = number(kernels::ceil_div(kernels::ceil_div(pair.columns, dim), t.j));
  const double a = number(pair.rows) * number(pair.inner), b = number(pair.inner) * number(pair.columns);
  const double c = number(pair.rows) * number(pair.columns);
  const double arithmetic = a * number(pair.columns) / number(dim * dim);
  // A comes again for each column of tiles, B for each row of them.
  const double traffic = a * j_steps + b * i_steps + (pair.fused ? c : kWide * c);
  PairEstimate estimate;
  estimate.product = std::max(arithmetic, traffic / bus_bytes);
  if (!pair.fused) estimate.norm = std::max(kPasses * c / number(dim), (kWide + 1) * c / bus_bytes);
  return estimate;
}

}  // namespace systole::workloads
