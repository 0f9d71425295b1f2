#pragma once
// Greedy generation in the machine's integers: every token is the largest integer logit of the row before it, the first one of
// equals. What a machine that computes the same bits would say.
#include <cstdint>
#include <vector>

#include "workloads/reference/evaluate.h"
#include "workloads/weights/float_weights.h"

namespace systole::workloads::reference {

// `count` tokens behind `prompt`: the whole input of a Gpt2, the beginning of the decoder's input of an EncoderDecoder, whose
// encoder reads `inputs`. The model needs a language head. ConfigError: a token or position that the model does not have.
[[nodiscard]] std::vector<std::int32_t> generate(const QuantisedModel& model, const TokenEmbedding& embedding, const TensorMap& inputs,
                                                 const std::vector<std::int32_t>& prompt, std::size_t count, OverflowCounters& overflows);

}  // namespace systole::workloads::reference
