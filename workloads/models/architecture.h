#pragma once
// The kinds of Transformer the project knows.

namespace systole::workloads {

enum class Architecture {
  Bert,            // encoder, LayerNorm after each residual sum, int8 residual
  Gpt2,            // decoder, LayerNorm before each block, int32 residual
  CrossAttention,  // one attention without output projection: queries and keys/values from two int8 inputs
  EncoderDecoder,  // Bert layers, then decoder layers with causal self attention and cross attention, all post-LN
};
enum class Activation { Gelu, Relu };

[[nodiscard]] const char* name_of(Architecture architecture);  // "bert" "gpt2" "xattn" "encdec"
[[nodiscard]] const char* name_of(Activation activation);      // "gelu" "relu"

}  // namespace systole::workloads
