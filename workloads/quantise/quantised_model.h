#pragma once
// A Transformer as the machine computes it: int8 weights, int32 biases, integer constants and fp32 scales, every one of
// them stored so that no run ever has to calibrate again. The comments name the tensors of the safetensors form, where
// `q.{L}.` is layer L, `q.{L}.at.{h}.` head h of its attention and `q.{L}.xa.{h}.` head h of its cross attention.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "workloads/models/architecture.h"
#include "workloads/weights/tensor.h"

namespace systole::workloads {

// Affine: gamma and beta act in the read-out of LayerNorm. Fold: they went into the next weights; LayerNorm emits
// (x-mean)/sd.
enum class NormForm { Affine, Fold };
// Deferred: P = exp/max, 1/sum applied when the context is read. Calibrated: scale per head from data. Fixed127: scale
// 1/127.
enum class ProbabilityForm { Deferred, Calibrated, Fixed127 };

// Constants of the integer exponential for scores of scale S (after the pre-shift).
struct ExpConstants {
  std::int32_t qb = 0;
  std::int32_t qc = 0;
  std::int32_t qln2 = 0;
  std::int32_t qln2_inv = 0;
};

struct HeadWeights {
  Matrix<std::int8_t> wq, wk, wv;        // Wq Wk Wv [in, dk]
  std::vector<std::int32_t> bq, bk, bv;  // bq bk bv [dk], preloaded with row stride 0
  float aq = 0, ak = 0, av = 0;          // output scales of q, k, v
  float probability_scale = 0;           // `ae` (Deferred: scale of EXP) or `ap` (otherwise: scale of SOFTMAX)
  float context_scale = 0;               // `ac` (Deferred: times 127/sum of the row)
  ExpConstants exp;                      // `c`
  int pre_shift = 0;                     // `sh`: rounding right shift of a score before exp
  // Real values per unit, for reports only: never used by integer arithmetic.
  double sq = 0, sk = 0, sv = 0, score_scale = 0, p_scale = 0;  // Sq Sk Sv S Sp
};

// The residual operand of an accumulator: either y = RNE(x * scale), or y_j = x_j * diagonal_j in exact integers
// (Fold).
struct Residual {
  float scale = 0;
  std::vector<std::int32_t> diagonal;  // [d]; empty: use scale
};

struct NormConstants {
  int pre_shift = 0;  // `sh`
  float scale = 0;    // `a` = 1 / output scale
  std::vector<float> gamma,
      beta;  // `g`, `b` [d]; beta is divided by the output scale. Fold: all 1 and 0, not to be used
};

struct ActivationConstants {
  int pre_shift = 0;  // `ge.c` = [sh, qb, qc]; all 0 for ReLU
  std::int32_t qb = 0;
  std::int32_t qc = 0;
  float scale = 0;       // `ge.a`; negative for GELU
  double in_scale = 0;   // ge.S: of ffn1_acc. Information only
  double out_scale = 0;  // ge.Sg: of the int8 result. Information only
};

struct AttentionWeights {
  std::vector<HeadWeights> heads;
  Matrix<std::int8_t> wo;        // Wo [heads*dk, d]; cross attention Wx. Empty for Architecture::CrossAttention
  std::vector<std::int32_t> bo;  // bo [d]; cross attention bx
  Residual residual;             // ro; cross attention rx
  double ctx_scale = 0;          // at.Sctx, information only
  double out_scale = 0;          // So (cross attention Sx): of attn_acc, h_mid. Information only
};

struct LayerWeights {
  AttentionWeights attention;
  std::optional<AttentionWeights> cross;  // decoder layers of EncoderDecoder
  NormConstants norm1;                    // n1: Bert after attention; Gpt2 before attention
  NormConstants norm_cross;               // nx: after cross attention
  NormConstants norm2;                    // n2: Bert after the feed-forward block; Gpt2 before it
  Matrix<std::int8_t> w1, w2;             // W1 [d, f], W2 [f, d]
  std::vector<std::int32_t> b1, b2;       // b1 [f], b2 [d]
  ActivationConstants activation;         // ge
  Residual ffn_residual;                  // r2
  double out_scale = 0;                   // S2 (Bert) or Sh (Gpt2: scale of h_out). Information only
};

// Host side of the input: float embeddings are divided by `scale` and rounded to int32.
struct EmbeddingConstants {
  double scale = 0;  // Bert and EncoderDecoder emb.S, Gpt2 S0
  std::optional<NormConstants>
      norm;  // emb.{sh,a,g,b}: LayerNorm on the machine. Absent in a post-LN model: clipped to int8
};

// What BERT's head does to the last layer's output before it meets the words: x := LayerNorm(GELU(x * w + b)). GELU leaves
// int8; times the power of two `spread` on the way back into the accumulator, its rows are wide enough for an integer root.
struct HeadTransform {
  Matrix<std::int8_t> w;          // mlm.W [d, d]
  std::vector<std::int32_t> b;    // mlm.b [d]
  ActivationConstants activation; // mlm.ge
  float spread = 1;               // mlm.r
  NormConstants norm;             // mlm.n
};

// Language-model head: logits (int32) = x * w + b, x being the last LayerNorm; a logit is the integer times `w_scale` times
// the scale of x.
struct LanguageHead {
  std::optional<HeadTransform> transform;
  Matrix<std::int8_t> w;        // lm.W [d, vocabulary]
  std::vector<std::int32_t> b;  // lm.b [vocabulary]; empty: none
  double w_scale = 0;           // lm.Sw
  double x_scale = 0;           // lm.Sx. Information only
};

struct QuantisedModel {
  Architecture architecture = Architecture::Bert;
  NormForm norm_form = NormForm::Affine;
  ProbabilityForm probability_form = ProbabilityForm::Deferred;
  Activation activation = Activation::Gelu;
  bool wide_variance = false;  // LayerNorm with 64-bit sums
  // Softmax, GELU, LayerNorm and residual additions on the CPU in fp32 (a machine without units for them); needs
  // NormForm::Affine and calibrated probabilities. Not stored in files: it belongs to the run.
  bool host_functions = false;
  std::size_t d = 0;           // model width
  std::size_t f = 0;           // feed-forward width; 0 for CrossAttention
  std::size_t heads = 0;
  std::size_t encoder_layers = 0;  // EncoderDecoder: layers[0, encoder_layers) encode, the rest decode
  std::size_t sequence = 0;        // l: rows of the calibrated input (EncoderDecoder: of the encoder)
  std::size_t valid = 0;           // keys at and after this position are padding; == sequence when there is none
  std::size_t prefill = 0;         // Gpt2, EncoderDecoder: the first `prefill` rows are one pass, the others are decoded one by one
  std::size_t queries = 0;         // lq, CrossAttention and EncoderDecoder (decoder rows)
  std::size_t keys = 0;            // lk
  std::map<std::string, std::string> notes;  // other metadata: seed, kind, model, lmax ...

  std::optional<EmbeddingConstants> embedding;          // absent: the int8 / int32 input is given as such
  std::optional<EmbeddingConstants> decoder_embedding;  // EncoderDecoder: demb.*
  std::vector<LayerWeights> layers;
  std::optional<NormConstants> final_norm;  // nf: Gpt2
  std::optional<LanguageHead> language_head;
  // Fold: gamma and beta of the last LayerNorm, which the host applies to the result. host.{g,b}
  std::vector<float> host_gamma, host_beta;

  [[nodiscard]] std::size_t dk() const { return heads == 0 ? 0 : d / heads; }
};

class SafetensorsFile;
using TensorMap = std::map<std::string, Tensor>;

// A stored model with whatever else its file holds: `act.*` boundaries, `in.*`, `out.*` and `float.*` tensors by full
// name. Embedding tables (stored_embedding.h) stay in the file.
struct QuantisedFile {
  QuantisedModel model;
  TensorMap vectors;
};

// Subtracted from a masked score: large enough that its exponential is exactly 0 for any int8 operands.
[[nodiscard]] std::int32_t mask_magnitude(std::size_t dk, const HeadWeights& head);

// Throws ConfigError naming the file and the missing, ill-typed or ill-shaped tensor.
[[nodiscard]] QuantisedModel load_quantised_model(const std::string& path);
[[nodiscard]] QuantisedFile load_quantised_file(const std::string& path);
[[nodiscard]] QuantisedFile load_quantised_file(const SafetensorsFile& file);
// Writes to a temporary file, then renames.
void save_quantised_model(const std::string& path, const QuantisedModel& model, TensorMap vectors = {});

[[nodiscard]] const char* name_of(NormForm form);         // "affine" "fold"
[[nodiscard]] const char* name_of(ProbabilityForm form);  // "defer" "calib" "127"

}  // namespace systole::workloads
