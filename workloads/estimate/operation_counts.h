#pragma once
// Floating-point operations and bytes of a Transformer without any machine: the workload analysis of section 2.2 of
// "Full Stack Optimization of Transformer Inference: a Survey" (arXiv 2302.14017).
//
// One byte per element. A matrix product moves both operands and its result once. FLOPs are 2mnk for products with
// weights (the bias is one of the additions), m(2n-1)k for products of two activations. A decoder makes a sequence of
// l tokens from nothing, one token per pass, with keys and values cached.
#include <cstdint>

namespace systole::workloads {

struct TransformerShape {
  std::uint64_t layers = 12;
  std::uint64_t model = 768;          // d
  std::uint64_t heads = 12;           // h; divides d
  std::uint64_t feed_forward = 3072;  // d_FFN
  bool decoder = false;
};

// Table 1 of the survey.
inline constexpr TransformerShape kBertBase{12, 768, 12, 3072, false};
inline constexpr TransformerShape kBertLarge{24, 1024, 16, 4096, false};
inline constexpr TransformerShape kGpt2{12, 768, 12, 3072, true};

struct Count {
  double flops = 0;
  double bytes = 0;
  [[nodiscard]] double intensity() const { return flops / bytes; }
};
[[nodiscard]] inline Count operator+(const Count& a, const Count& b) { return {a.flops + b.flops, a.bytes + b.bytes}; }

// The classes of the survey's tables.
struct TransformerCounts {
  Count projections;   // W_Q, W_K, W_V, W_out
  Count attention;     // query x key, scores x value
  Count feed_forward;  // W_1, W_2
  Count other;         // softmax, GELU, LayerNorm, residual additions
  [[nodiscard]] Count total() const { return projections + attention + feed_forward + other; }
};

// The survey's prose leaves two things open; its printed digits follow a rule that differs from the plain one.
enum class CountingRule : std::uint8_t {
  kPlain,      // every product and every element-wise operation by the rules above
  kAsPrinted,  // encoder: one l x d operand of the residual additions is missing. Decoder: both attention products of
               // a token count (2t-1) d/h FLOPs, and 129 t + 192 bytes per head (plain: 130 t + 128)
};

// Throws ConfigError when heads do not divide d, or a size is 0.
[[nodiscard]] TransformerCounts count_transformer(const TransformerShape& shape, std::uint64_t seq, CountingRule rule);

// Throws ConfigError unless the heads divide the model's width and no size is 0.
void check_shape(const TransformerShape& shape, std::uint64_t seq);

}  // namespace systole::workloads
