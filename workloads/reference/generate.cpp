#include "workloads/reference/generate.h"

#include <algorithm>

namespace systole::workloads::reference {

std::vector<std::int32_t> generate(const QuantisedModel& model, const TokenEmbedding& embedding, const TensorMap& inputs,
                                   const std::vector<std::int32_t>& prompt, std::size_t count, OverflowCounters& overflows) {
  SYSTOLE_CHECK(model.language_head.has_value() && !prompt.empty() && model.embedding.has_value());
  const bool gpt2 = model.architecture == Architecture::Gpt2;
  const BoundarySink ignore = [](const std::string&, Tensor) {};
  Matrix<std::int8_t> encoded;
  if (!gpt2) {
    encoded = encode(model, inputs, overflows);
  }
  Decoder decoder = gpt2 ? Decoder(model) : Decoder(model, encoded, valid_keys(model, inputs, encoded.rows), overflows);
  std::vector<std::int32_t> next = prompt;
  std::vector<std::int32_t> generated;
  while (generated.size() < count) {
    const Matrix<float> rows = embedding.embed(Side::Decoder, next, decoder.rows());
    const Matrix<std::int8_t> y =
        gpt2 ? decoder.append(scale_embeddings(rows, model.embedding->scale), ignore, overflows)
             : decoder.append(decoder_input(model, {{"in.demb_f32", Tensor::from(rows)}}, overflows), ignore, overflows);
    Matrix<std::int8_t> last(1, y.cols);
    std::copy(y.row(y.rows - 1), y.row(y.rows - 1) + y.cols, last.data.begin());
    const Matrix<std::int32_t> logits = language_logits(model, last, overflows);
    next = {argmax(logits.data.data(), logits.cols)};
    generated.push_back(next[0]);
  }
  return generated;
}

}  // namespace systole::workloads::reference
