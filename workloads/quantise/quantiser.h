#pragma once
// Post-training quantisation: float weights in, a quantised model for the machine out. Symmetric and static: weights
// clipped for the least squared error, activations scaled by the largest magnitude seen in a few random calibration
// sequences. The result depends on weights and options alone, not on processor or threads.
#include <cstdint>
#include <optional>

#include "workloads/quantise/constants.h"
#include "workloads/quantise/quantised_model.h"
#include "workloads/weights/float_weights.h"

namespace systole::workloads {

struct QuantiseOptions {
  std::size_t sequence = 128;  // rows the model is calibrated for (EncoderDecoder: of the encoder)
  std::size_t valid = 0;       // keys that are no padding; 0: all
  std::size_t queries = 0;     // EncoderDecoder: rows of the decoder; 0: sequence
  std::size_t prefill = 0;     // Gpt2, EncoderDecoder: rows of the decoder's first pass; 0: all
  std::size_t layers = 0;      // the first layers only (EncoderDecoder: of each side); 0: all
  NormForm norm_form = NormForm::Affine;
  ProbabilityForm probability_form = ProbabilityForm::Deferred;
  std::optional<bool> wide_variance;  // default: Gpt2 only
  // Most keys any row will ever attend to. Part of the model, never the current length: otherwise the same row would
  // have other bits in prefill and in decoding. 0: the model's positions.
  std::size_t max_keys = 0;
  std::size_t calibration_sequences = 4;
  std::uint64_t seed = 1;  // of the calibration tokens
  double margin = 4;       // how far activations may exceed their calibrated range before an integer wraps
  GeluPolynomial gelu;
  bool language_head = false;
  bool keep_weights = true;    // false: matrices of weights have sizes only, which is enough for a program that is to be timed
  unsigned threads = 1;
};

// ConfigError, naming layer and tensor, when no choice of constants keeps the integers in range.
[[nodiscard]] QuantisedModel quantise(const WeightSource& source, const QuantiseOptions& options);

// Inputs of one sequence for reference::evaluate: in.emb_f32, in.h_f32, and in.demb_f32 for `target` of an
// EncoderDecoder.
[[nodiscard]] TensorMap embedded_inputs(const TokenEmbedding& source, const std::vector<std::int32_t>& tokens,
                                        const std::vector<std::int32_t>& target = {});

}  // namespace systole::workloads
