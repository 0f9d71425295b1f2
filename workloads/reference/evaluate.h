#pragma once
// Whole quantised Transformers on the host, in the machine's integers: the expected value of every tensor between two
// operations.
//
// Names of boundaries (L counts layers from 0, h heads, l rows):
//   act.-1.emb_i32  int32 [l, d]  scaled embeddings            act.-1.x0  int8 [l, d]  their LayerNorm, input of layer
//   0 act.L.{q,k,v}   int8 [h, l, dk]                            act.L.s    int32 [h, l, keys]  scores, masks included
//   act.L.p         int8 [h, l, keys]                          act.L.rowsum  int32 [h, l, 1]  sum of exponentials,
//                                                              0 unless its division is deferred
//   act.L.ctx       int8 [h, l, dk]
//   act.L.attn_acc  int32 [l, d] with residual                 act.L.ln1  int8 [l, d]
//   act.L.ffn1_acc  int32 [l, f]                               act.L.{gelu,relu}  int8 [l, f]
//   act.L.ffn2_acc  int32 [l, d] with residual                 act.L.ln2  int8 [l, d]
// Gpt2: act.-1.h0, act.L.h_mid, act.L.h_out int32 [l, d] instead of emb_i32, attn_acc, ffn2_acc; act.{layers}.lnf int8.
// With a language head: act.{layers}.logits int32 [rows, vocabulary], of all rows or of the last few; BERT's head first
// leaves act.{layers}.mlm_acc int32, mlm_gelu (mlm_relu) int8 and mlm_ln int8, all [l, d].
// EncoderDecoder: encoder as Bert; the decoder's input is act.-1.demb_i32 and act.-1.y0, its cross attention adds
// act.L.{xq,xk,xv,xs,xp,xrowsum,xctx,xattn_acc,lnx}. CrossAttention: act.{q,k,v,s,p,rowsum,ctx} and out.ctx int8 [lq,
// d].
//
// QuantisedModel::host_functions: act.L.{attn,xattn,ffn2}_product int32 [l, d] without residual instead of attn_acc, xattn_acc,
// ffn2_acc, h_mid, h_out; no row sums.
//
// A masked score holds the raw product minus the mask; a machine that skips masked keys has no such word, so that
// position of `s` is to be compared only where the key is visible (key_is_visible). Every other boundary is the same
// either way.
#include <functional>
#include <string>
#include <vector>

#include "workloads/quantise/quantised_model.h"
#include "workloads/reference/arithmetic.h"

namespace systole::workloads::reference {

struct Context;
struct Mask;

// Called once per boundary, in order of computation.
using BoundarySink = std::function<void(const std::string& name, Tensor boundary)>;

// Host part of the input: fp32(x) / fp32(scale), one fp32 division, rounded to nearest even, saturated.
[[nodiscard]] Matrix<std::int32_t> scale_embeddings(const Matrix<float>& embeddings, double scale);

// Computes every boundary of `model` from the inputs it finds (most derived first):
//   Bert            act.-1.x0, act.-1.emb_i32 or in.emb_f32
//   Gpt2            act.-1.h0 or in.h_f32
//   EncoderDecoder  as Bert, and act.-1.y0, act.-1.demb_i32 or in.demb_f32
//   CrossAttention  in.xq, in.xkv
// Row counts come from the inputs. in.valid (int32 [1]) says how many of an encoder's rows are no padding; without it the
// model does. ConfigError: input missing or of the wrong type or shape.
struct EvaluateOptions {
  std::size_t first_logits = 0;  // the language head sees the rows from here on
};
void evaluate(const QuantisedModel& model, const TensorMap& inputs, const BoundarySink& sink,
              OverflowCounters& overflows, const EvaluateOptions& options = {});
[[nodiscard]] TensorMap evaluate(const QuantisedModel& model, const TensorMap& inputs);

// Keys of a sequence of `rows` encoder rows that are no padding: in.valid, or else the model's.
[[nodiscard]] std::size_t valid_keys(const QuantisedModel& model, const TensorMap& inputs, std::size_t rows);

// Can query row `query` see `key`? `cross`: in the cross attention of a decoder layer. `valid`: of the encoder's rows.
[[nodiscard]] bool key_is_visible(const QuantisedModel& model, std::size_t valid, std::size_t layer, bool cross,
                                  std::size_t query, std::size_t key);

// Generation: rows arrive in pieces, keys and values stay. Any split into pieces gives the same bits as all rows at
// once.
class Decoder {
 public:
  // Gpt2. `model` must outlive the decoder.
  explicit Decoder(const QuantisedModel& model);
  // EncoderDecoder: `encoded` is the int8 output [lk, d] of the last encoder layer, `valid` of its rows are no padding.
  Decoder(const QuantisedModel& model, const Matrix<std::int8_t>& encoded, std::size_t valid, OverflowCounters& overflows);

  // Gpt2: int32 residual of new rows [n, d] in; final LayerNorm [n, d] out.
  [[nodiscard]] Matrix<std::int8_t> append(const Matrix<std::int32_t>& residual, const BoundarySink& sink,
                                           OverflowCounters& overflows);
  // EncoderDecoder: int8 input y0 of new rows in; last LayerNorm out.
  [[nodiscard]] Matrix<std::int8_t> append(const Matrix<std::int8_t>& y0, const BoundarySink& sink,
                                           OverflowCounters& overflows);
  [[nodiscard]] std::size_t rows() const { return rows_; }

  struct HeadCache {
    Matrix<std::int8_t> k, v;  // [t, dk]
  };

 private:
  [[nodiscard]] Matrix<std::int8_t> append_on_host(const Context& context, const Matrix<std::int32_t>& residual, const Mask& mask);

  const QuantisedModel& model_;
  std::size_t rows_ = 0;
  std::size_t valid_ = 0;
  std::vector<std::vector<HeadCache>> self_;   // [decoder layer][head]
  std::vector<std::vector<HeadCache>> cross_;  // EncoderDecoder
};

// Encoder of an EncoderDecoder or Bert on its inputs: int8 output of the last encoder layer.
[[nodiscard]] Matrix<std::int8_t> encode(const QuantisedModel& model, const TensorMap& inputs, OverflowCounters& overflows);
// int8 input of the decoder of an EncoderDecoder, from act.-1.y0, act.-1.demb_i32 or in.demb_f32.
[[nodiscard]] Matrix<std::int8_t> decoder_input(const QuantisedModel& model, const TensorMap& inputs, OverflowCounters& overflows);

// Logits of the language head behind its transform, if it has one: int32 [rows, vocabulary].
[[nodiscard]] Matrix<std::int32_t> language_logits(const QuantisedModel& model, const Matrix<std::int8_t>& x,
                                                   OverflowCounters& overflows);
// Position of the largest; of equal ones the first.
[[nodiscard]] std::int32_t argmax(const std::int32_t* logits, std::size_t count);

}  // namespace systole::workloads::reference
