#pragma once
// A Transformer in fp32 on the host: what the integers approximate. Bit-identical on every machine and for any split of
// work.
#include <cstddef>
#include <vector>

#include "workloads/weights/float_weights.h"

namespace systole::workloads::reference {

// Everything between two operations of one attention.
struct AttentionTrace {
  Matrix<float> q, k, v;              // [rows, d], heads side by side
  std::vector<double> largest_p;      // per head
  Matrix<float> ctx;                  // [rows, d]
};

struct LayerTrace {
  AttentionTrace attention;
  Matrix<float> attention_sum;  // Bert attn_acc, Gpt2 h_mid
  Matrix<float> norm1;          // output of the LayerNorm of that name
  AttentionTrace cross;         // EncoderDecoder
  Matrix<float> cross_sum;
  Matrix<float> norm_cross;
  Matrix<float> before_activation;  // ffn1_acc
  Matrix<float> activation;
  Matrix<float> ffn_sum;  // Bert ffn2_acc, Gpt2 h_out
  Matrix<float> norm2;
};

// What a layer sees beside its input.
struct LayerSurroundings {
  std::size_t index = 0;
  std::size_t valid_keys = 0;              // of the encoder's rows; later ones are padding
  const Matrix<float>* encoded = nullptr;  // decoder layers of EncoderDecoder
};

// Runs one layer on x [rows, d]. The layer's output is norm2 (post-LN) or ffn_sum (Gpt2).
[[nodiscard]] LayerTrace float_layer(const ModelConfig& config, const FloatLayer& weights, const Matrix<float>& x,
                                     const LayerSurroundings& around);
[[nodiscard]] const Matrix<float>& output_of(const ModelConfig& config, const LayerTrace& trace);

// The transform in front of BERT's language head.
struct HeadTrace {
  Matrix<float> before_activation, activation, norm;
};
[[nodiscard]] HeadTrace float_head_transform(const ModelConfig& config, const FloatLanguageHead::Transform& transform,
                                             const Matrix<float>& x);

// Infinite if any value is not finite.
[[nodiscard]] double largest_magnitude(const std::vector<float>& values);

// (x - mean) / sqrt(variance + epsilon) * gamma + beta, row by row. Null norm: without gamma and beta.
[[nodiscard]] Matrix<float> float_norm(const Matrix<float>& x, const FloatNorm* norm, double epsilon);
// Standard deviation of each row.
[[nodiscard]] std::vector<double> row_deviations(const Matrix<float>& x);
[[nodiscard]] Matrix<float> float_linear(const Matrix<float>& x, const FloatLinear& linear);

}  // namespace systole::workloads::reference
