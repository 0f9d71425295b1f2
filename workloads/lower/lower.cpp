#include "workloads/lower/lower.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "workloads/lower/blocks.h"
#include "workloads/lower/host_blocks.h"
#include "workloads/lower/requirements.h"
#include "workloads/lower/session.h"
#include "workloads/reference/evaluate.h"

namespace systole::workloads {
namespace lowering {
namespace {

using kernels::Element;
using kernels::Matrix;

// ---- inputs

const Tensor* find(const TensorMap& inputs, const std::string& name) {
  const auto found = inputs.find(name);
  return found == inputs.end() ? nullptr : &found->second;
}

void check_input(const std::string& name, const Tensor& tensor, Dtype dtype, std::size_t cols) {
  if (tensor.dtype == dtype && tensor.shape.size() == 2 && tensor.shape[0] != 0 && tensor.shape[1] == cols) return;
  throw ConfigError(fmt::format("input '{}' is {} {}, needed is {} [rows, {}]", name, name_of(tensor.dtype),
                                to_string(tensor.shape), name_of(dtype), cols));
}

// One input tensor of every sequence, all of equal shape.
using Sequences = std::vector<Tensor>;

Sequences equal_rows(const std::string& name, Sequences tensors) {
  for (const Tensor& t : tensors) {
    if (t.shape == tensors[0].shape) continue;
    throw ConfigError(fmt::format("input '{}' has {} rows in one sequence of the batch and {} in another", name,
                                  tensors[0].shape[0], t.shape[0]));
  }
  return tensors;
}

// int32 embeddings: given, or rounded from floats by the host. Empty if there are neither.
Sequences integer_embeddings(const QuantisedModel& model, const std::vector<TensorMap>& inputs, const std::string& integers,
                             const std::string& floats, const std::optional<EmbeddingConstants>& constants) {
  Sequences result;
  for (const TensorMap& map : inputs) {
    if (const Tensor* t = find(map, integers)) {
      check_input(integers, *t, Dtype::I32, model.d);
      result.push_back(*t);
    } else if (const Tensor* f = find(map, floats)) {
      check_input(floats, *f, Dtype::F32, model.d);
      if (!constants) throw ConfigError(fmt::format("the model has no scale for input '{}'", floats));
      workloads::Matrix<float> values(f->shape[0], f->shape[1]);
      std::copy(f->as<float>(), f->as<float>() + values.size(), values.data.begin());
      result.push_back(Tensor::from(reference::scale_embeddings(values, constants->scale)));
    } else {
      return {};
    }
  }
  return equal_rows(integers, std::move(result));
}

Sequences int8_input(const QuantisedModel& model, const std::vector<TensorMap>& inputs, const std::string& name) {
  Sequences result;
  for (const TensorMap& map : inputs) {
    const Tensor* t = find(map, name);
    if (t == nullptr) throw ConfigError(fmt::format("input '{}' is missing", name));
    check_input(name, *t, Dtype::I8, model.d);
    result.push_back(*t);
  }
  return equal_rows(name, std::move(result));
}

// ---- parameters of a layer

struct LayerParameters {
  AttentionParameters attention, cross;
  NormParameters norm1, norm_cross, norm2;
  Matrix w1, b1;
  ProductParameters ffn_output;
  const LayerWeights* weights = nullptr;
};

LayerParameters place_layer(Session& s, std::size_t index) {
  const LayerWeights& layer = s.model().layers[index];
  const std::string q = fmt::format("q.{}.", index);
  LayerParameters p;
  p.weights = &layer;
  p.attention = s.place_attention(q + "at.", q, layer.attention);
  if (s.model().f == 0) return p;
  if (layer.cross) {
    p.cross = s.place_attention(q + "xa.", q + "x.", *layer.cross);
    p.norm_cross = s.place_norm(q + "nx", layer.norm_cross);
  }
  p.norm1 = s.place_norm(q + "n1", layer.norm1);
  p.norm2 = s.place_norm(q + "n2", layer.norm2);
  p.w1 = s.place_weights(q + "W1", layer.w1);
  p.b1 = s.place_bias(q + "b1", layer.b1);
  p.ffn_output = s.place_product(q + "W2", q + "b2", q + "r2", layer.w2, layer.b2, layer.ffn_residual);
  p.ffn_output.unit = layer.out_scale;
  return p;
}

// ---- buffers of a layer

struct LayerBuffers {
  AttentionBuffers attention, cross;
  Activations attention_sum, norm1, cross_sum, norm_cross, ffn_inner_sum, ffn_sum, norm2;
  Activations ffn_inner, ffn_operand;  // the same memory; the second with constant columns
};

void ffn_buffers(Session& s, int layer, std::size_t rows, const LayerParameters& p, LayerBuffers& b) {
  const QuantisedModel& model = s.model();
  const bool gelu_on_host = model.host_functions && model.activation == Activation::Gelu;
  if (s.options().store_all_boundaries || gelu_on_host) b.ffn_inner_sum = s.activations(layer, "ffn1_acc", rows, model.f, Element::kInt32);
  const std::string name = model.activation == Activation::Gelu ? "gelu" : "relu";
  b.ffn_operand = s.unnamed(layer, name, rows, model.f, p.ffn_output.constants);
  b.ffn_inner = {b.ffn_operand.all.block(0, 0, b.ffn_operand.all.rows, model.f), rows};
  s.add_boundary(layer, name, b.ffn_inner);
}

LayerBuffers post_norm_buffers(Session& s, int layer, const LayerParameters& p, std::size_t rows, std::size_t cross_rows) {
  const std::size_t d = s.model().d;
  LayerBuffers b;
  b.attention = attention_buffers(s, layer, "", rows, rows, p.attention.output.constants);
  const char* what = s.model().host_functions ? "product" : "acc";  // without the residual
  b.attention_sum = s.activations(layer, fmt::format("attn_{}", what), rows, d, Element::kInt32);
  b.norm1 = s.activations(layer, "ln1", rows, d, Element::kInt8);
  if (cross_rows != 0) {
    b.cross = attention_buffers(s, layer, "x", rows, cross_rows, p.cross.output.constants);
    b.cross_sum = s.activations(layer, fmt::format("xattn_{}", what), rows, d, Element::kInt32);
    b.norm_cross = s.activations(layer, "lnx", rows, d, Element::kInt8);
  }
  ffn_buffers(s, layer, rows, p, b);
  b.ffn_sum = s.activations(layer, fmt::format("ffn2_{}", what), rows, d, Element::kInt32);
  b.norm2 = s.activations(layer, "ln2", rows, d, Element::kInt8);
  return b;
}

Pass in_layer(const Pass& pass, std::size_t index) {
  Pass p = pass;
  p.region += fmt::format("layer.{}/", index);
  return p;
}

void self_attention(Session& s, const Pass& pass, const LayerParameters& p, const LayerBuffers& b, const Activations& x,
                    const std::vector<std::size_t>& visible, bool causal) {
  project_all(s, pass, "attention/", p.attention, x, b.attention);
  attend(s, pass, "attention/", p.attention, b.attention, visible, causal);
}

void feed_forward_inner(Session& s, const Pass& pass, const LayerParameters& p, const LayerBuffers& b, const Activations& x) {
  feed_forward(s, pass, pass, "ffn/intermediate", x, p.w1, p.b1, p.weights->activation, b.ffn_inner, b.ffn_inner_sum);
}

// A layer with LayerNorm after each residual sum. Returns the layer's output.
void post_norm_layer(Session& s, const Pass& pass, const LayerParameters& p, const LayerBuffers& b, const Activations& x,
                     const std::vector<std::size_t>& visible, bool causal,
                     const std::vector<std::size_t>& cross_visible) {
  self_attention(s, pass, p, b, x, visible, causal);
  product_with_residual_and_norm(s, pass, "attention/output", b.attention.context, p.attention.output, x,
                                 b.attention_sum, "attention/norm", p.norm1, b.norm1);
  Activations y = b.norm1;
  if (!cross_visible.empty()) {
    project(s, pass, "cross_attention/query", p.cross, Projection::kQuery, y, b.cross.q);
    attend(s, pass, "cross_attention/", p.cross, b.cross, cross_visible, false);
    product_with_residual_and_norm(s, pass, "cross_attention/output", b.cross.context, p.cross.output, y,
                                   b.cross_sum, "cross_attention/norm", p.norm_cross, b.norm_cross);
    y = b.norm_cross;
  }
  feed_forward_inner(s, pass, p, b, y);
  product_with_residual_and_norm(s, pass, "ffn/output", b.ffn_operand, p.ffn_output, y, b.ffn_sum, "ffn/norm", p.norm2,
                                 b.norm2);
}

// The int8 input of a post-LN stack, in memory when the program starts or computed by its first instructions.
Activations post_norm_input(Session& s, const std::vector<TensorMap>& inputs, const std::string& normalised,
                            const std::string& integers, const std::string& floats, const std::string& parameter_name,
                            const std::optional<EmbeddingConstants>& constants, const std::string& region) {
  const QuantisedModel& model = s.model();
  const std::string short_name = normalised.substr(normalised.rfind('.') + 1);
  const Sequences sums =
      constants ? integer_embeddings(model, inputs, integers, floats, constants) : Sequences{};
  if (sums.empty()) {
    const Sequences given = int8_input(model, inputs, normalised);
    const Activations x = s.activations(-1, short_name, given[0].shape[0], model.d, Element::kInt8);
    for (std::size_t n = 0; n < given.size(); ++n) s.fill<std::int8_t>(x, n, given[n]);
    return x;
  }
  const std::size_t rows = sums[0].shape[0];
  const Activations sum = s.activations(-1, integers.substr(integers.rfind('.') + 1), rows, model.d, Element::kInt32);
  for (std::size_t n = 0; n < sums.size(); ++n) s.fill<std::int32_t>(sum, n, sums[n]);
  const Activations x = s.activations(-1, short_name, rows, model.d, Element::kInt8);
  NormParameters parameters;
  if (constants->norm) parameters = s.place_norm(parameter_name, *constants->norm);
  normalise_input(s, {0, rows, region}, sum, constants->norm ? &parameters : nullptr, x, constants->scale);
  return x;
}

// Passes of a decoder: the first rows at once, then one row at a time.
std::vector<Pass> passes(const Session& s, std::size_t rows, const std::string& region) {
  std::size_t first = s.options().prefill != 0 ? s.options().prefill : s.model().prefill;
  if (first == 0) first = rows;
  if (first > rows) {
    throw ConfigError(fmt::format("a first pass of {} rows is longer than the input of {}", first, rows));
  }
  std::vector<Pass> result{{0, first, region}};
  for (std::size_t r = first; r < rows; ++r) result.push_back({r, 1, region + fmt::format("token.{}/", r)});
  return result;
}

// ---- models

// The same number of visible keys for every sequence.
std::vector<std::size_t> all_sequences(const Session& s, std::size_t keys) { return std::vector<std::size_t>(s.sequences(), keys); }

Activations encoder(Session& s, const std::vector<TensorMap>& inputs, std::size_t layers, const std::string& region) {
  const QuantisedModel& model = s.model();
  Activations x = post_norm_input(s, inputs, "act.-1.x0", "act.-1.emb_i32", "in.emb_f32", "emb", model.embedding, region);
  const Pass all{0, x.rows, region};
  const std::vector<std::size_t>& visible = s.set_valid(inputs, x.rows);
  for (std::size_t index = 0; index < layers; ++index) {
    const LayerParameters p = place_layer(s, index);
    const LayerBuffers b = post_norm_buffers(s, static_cast<int>(index), p, x.rows, 0);
    post_norm_layer(s, in_layer(all, index), p, b, x, visible, false, {});
    x = b.norm2;
  }
  return x;
}

void lower_bert(Session& s, const std::vector<TensorMap>& inputs) {
  const Activations x = encoder(s, inputs, s.model().layers.size(), "");
  const LanguageHeadBuffers head = place_head(s, x.rows, x.rows);
  if (head.present()) language_head(s, {0, x.rows, ""}, x, head);
}

void lower_encoder_decoder(Session& s, const std::vector<TensorMap>& inputs) {
  const QuantisedModel& model = s.model();
  const Activations encoded = encoder(s, inputs, model.encoder_layers, "encoder/");
  const std::vector<std::size_t>& visible = s.valid();
  const Activations y0 = post_norm_input(s, inputs, "act.-1.y0", "act.-1.demb_i32", "in.demb_f32", "demb",
                                         model.decoder_embedding, "decoder/");
  std::vector<LayerParameters> parameters;
  std::vector<LayerBuffers> buffers;
  for (std::size_t index = model.encoder_layers; index < model.layers.size(); ++index) {
    parameters.push_back(place_layer(s, index));
    s.add_causal_masks(parameters.back().attention, y0.rows);
    buffers.push_back(post_norm_buffers(s, static_cast<int>(index), parameters.back(), y0.rows, encoded.rows));
    // Keys and values of the encoder's output serve all passes.
    const Pass all{0, encoded.rows, fmt::format("decoder/layer.{}/", index)};
    project(s, all, "cross_attention/key", parameters.back().cross, Projection::kKey, encoded, buffers.back().cross.k);
    project(s, all, "cross_attention/value", parameters.back().cross, Projection::kValue, encoded, buffers.back().cross.v);
  }
  const std::vector<Pass> all_passes = passes(s, y0.rows, "decoder/");
  const LanguageHeadBuffers head = place_head(s, y0.rows, all_passes[0].count);
  for (const Pass& pass : all_passes) {
    Activations y = y0;
    for (std::size_t n = 0; n < parameters.size(); ++n) {
      post_norm_layer(s, in_layer(pass, model.encoder_layers + n), parameters[n], buffers[n], y, all_sequences(s, pass.first + pass.count), true,
                      visible);
      y = buffers[n].norm2;
    }
    if (head.present()) language_head(s, pass, y, head);
  }
}

void lower_gpt2(Session& s, const std::vector<TensorMap>& inputs) {
  const QuantisedModel& model = s.model();
  const std::size_t d = model.d;
  const Sequences given = integer_embeddings(model, inputs, "act.-1.h0", "in.h_f32", model.embedding);
  if (given.empty()) throw ConfigError("input 'act.-1.h0' or 'in.h_f32' is missing");
  const std::size_t rows = given[0].shape[0];
  const Activations h0 = s.activations(-1, "h0", rows, d, Element::kInt32);
  for (std::size_t n = 0; n < given.size(); ++n) s.fill<std::int32_t>(h0, n, given[n]);
  struct Layer {
    LayerParameters p;
    LayerBuffers b;
  };
  const bool on_host = model.host_functions;
  std::vector<Layer> layers;
  for (std::size_t index = 0; index < model.layers.size(); ++index) {
    const int number = static_cast<int>(index);
    Layer layer;
    layer.p = place_layer(s, index);
    s.add_causal_masks(layer.p.attention, rows);
    layer.b.norm1 = s.activations(number, "ln1", rows, d, Element::kInt8);
    layer.b.attention = attention_buffers(s, number, "", rows, rows, layer.p.attention.output.constants);
    layer.b.attention_sum = s.activations(number, on_host ? "attn_product" : "h_mid", rows, d, Element::kInt32);
    layer.b.norm2 = s.activations(number, "ln2", rows, d, Element::kInt8);
    ffn_buffers(s, number, rows, layer.p, layer.b);
    layer.b.ffn_sum = s.activations(number, on_host ? "ffn2_product" : "h_out", rows, d, Element::kInt32);
    layers.push_back(std::move(layer));
  }
  const int last = static_cast<int>(model.layers.size());
  SYSTOLE_CHECK(model.final_norm.has_value());
  const NormParameters final_norm = s.place_norm("nf", *model.final_norm);
  const Activations lnf = s.activations(last, "lnf", rows, d, Element::kInt8);
  const std::vector<Pass> all_passes = passes(s, rows, "");
  const LanguageHeadBuffers head = place_head(s, rows, all_passes[0].count);
  for (const Pass& pass : all_passes) {
    Activations h = h0;
    HostStream stream;
    if (on_host) stream = open_stream_on_host(s, pass, h0, model.embedding.value().scale);
    for (std::size_t index = 0; index < layers.size(); ++index) {
      const Pass here = in_layer(pass, index);
      const LayerParameters& p = layers[index].p;
      const LayerBuffers& b = layers[index].b;
      if (on_host) {
        norm_on_host(s, here, "attention/", stream, p.norm1, b.norm1);
        self_attention(s, here, p, b, b.norm1, all_sequences(s, pass.first + pass.count), true);
        product_on_array(s, here, "attention/output", b.attention.context, p.attention.output, b.attention_sum);
        add_on_host(s, here, "attention/", b.attention_sum, p.attention.output, stream);
        norm_on_host(s, here, "ffn/", stream, p.norm2, b.norm2);
        feed_forward_inner(s, here, p, b, b.norm2);
        product_on_array(s, here, "ffn/output", b.ffn_operand, p.ffn_output, b.ffn_sum);
        add_on_host(s, here, "ffn/", b.ffn_sum, p.ffn_output, stream);
        continue;
      }
      norm(s, here, "attention/norm", h, p.norm1, b.norm1);
      self_attention(s, here, p, b, b.norm1, all_sequences(s, pass.first + pass.count), true);
      product_with_residual(s, here, "attention/output", b.attention.context, p.attention.output, h,
                            b.attention_sum);
      norm(s, here, "ffn/norm", b.attention_sum, p.norm2, b.norm2);
      feed_forward_inner(s, here, p, b, b.norm2);
      product_with_residual(s, here, "ffn/output", b.ffn_operand, p.ffn_output, b.attention_sum, b.ffn_sum);
      h = b.ffn_sum;
    }
    if (on_host) {
      norm_on_host(s, pass, "final/", stream, final_norm, lnf);
    } else {
      norm(s, pass, "final/norm", h, final_norm, lnf);
    }
    if (head.present()) language_head(s, pass, lnf, head);
  }
}

void lower_cross_attention(Session& s, const std::vector<TensorMap>& inputs) {
  const QuantisedModel& model = s.model();
  const Sequences queries = int8_input(model, inputs, "in.xq");
  const Sequences keys = int8_input(model, inputs, "in.xkv");
  const std::size_t lq = queries[0].shape[0], lk = keys[0].shape[0];
  const Activations xq = s.input("in.xq", lq, model.d);
  const Activations xkv = s.input("in.xkv", lk, model.d);
  for (std::size_t n = 0; n < queries.size(); ++n) s.fill<std::int8_t>(xq, n, queries[n]);
  for (std::size_t n = 0; n < keys.size(); ++n) s.fill<std::int8_t>(xkv, n, keys[n]);
  const LayerParameters p = place_layer(s, 0);
  const AttentionBuffers b = attention_buffers(s, 0, "", lq, lk, 0);
  const Pass of_queries{0, lq, "layer.0/"}, of_keys{0, lk, "layer.0/"};
  project(s, of_queries, "attention/query", p.attention, Projection::kQuery, xq, b.q);
  project(s, of_keys, "attention/key", p.attention, Projection::kKey, xkv, b.k);
  project(s, of_keys, "attention/value", p.attention, Projection::kValue, xkv, b.v);
  attend(s, of_queries, "attention/", p.attention, b, all_sequences(s, lk), false);
}

}  // namespace
}  // namespace lowering

Lowered lower(const QuantisedModel& model, const std::vector<TensorMap>& inputs, const kernels::Target& target,
              const LowerOptions& options) {
  if (inputs.empty()) throw ConfigError("a batch needs at least one input");
  require_functions(model, target);
  lowering::Session session(model, target, options, inputs.size());
  switch (model.architecture) {
    case Architecture::Bert:
      lowering::lower_bert(session, inputs);
      return session.take();
    case Architecture::Gpt2:
      lowering::lower_gpt2(session, inputs);
      return session.take();
    case Architecture::CrossAttention:
      lowering::lower_cross_attention(session, inputs);
      return session.take();
    case Architecture::EncoderDecoder:
      lowering::lower_encoder_decoder(session, inputs);
      return session.take();
  }
  SYSTOLE_CHECK(false);
  return {};
}

}  // namespace systole::workloads
